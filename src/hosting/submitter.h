#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/lifetime.h"
#include "replica/replica.h"
#include "runtime/runtime.h"
#include "understudy/request.h"

namespace understudy::hosting {

/// Submits commands to a replica, and keeps them while its role is being handed over.
///
/// All commands of a copy go through its submitter, so that one object knows when no command is
/// under way to the journal any more. Thread: loop only.
class Submitter {
public:
    static constexpr std::size_t held_max = 4096;  ///< Commands of callers that may be kept.

    Submitter(Runtime& runtime, std::string service)
        : runtime_(runtime), service_(std::move(service)) {}
    ~Submitter() { life_.end(); }
    Submitter(const Submitter&) = delete;
    Submitter& operator=(const Submitter&) = delete;

    /// Requires: called before the first command; the replica outlives this.
    void begin(replica::Replica& replica) { replica_ = &replica; }

    /// As Replica::submit(), with or without a request of a session; `answered` takes a
    /// Result<replica::Reply>.
    template <class Answered>
    void submit(const std::optional<Request>& request, Bytes command, Answered answered) {
        replica::Answered then = counted(std::move(answered));
        if (!holding_) return pass_on(request, command, std::move(then));
        waiting_.push_back({.request = request,
                            .command = Buffer(command.begin(), command.end()),
                            .answered = std::move(then)});
    }

    /// For calls that reach the journal without submit(): counts one as under way from now until
    /// the callback that is returned has been called.
    template <class Callback>
    [[nodiscard]] auto counted(Callback callback) {
        ++under_way_;
        return [this, here = life_.watch(),
                callback = std::move(callback)](auto&&... arguments) mutable {
            if (!here.ended()) --under_way_;
            callback(std::forward<decltype(arguments)>(arguments)...);
            if (!here.ended()) look();
        };
    }

    /// Keeps commands that are submitted from now on. `held` is called once, never within this
    /// call, when no earlier command is under way any more. It ends with release() or refuse().
    void hold(std::function<void()> held);
    /// Submits what was kept, in order.
    void release();
    /// The tenure has ended: the kept commands are refused with this error, never within this call.
    void refuse(const Error& error);
    [[nodiscard]] bool holding() const { return holding_; }
    /// To be called for each command of a caller. Errors: limit_exceeded (none): held_max commands
    /// are kept already.
    [[nodiscard]] Result<void> check_room() const;

private:
    struct Waiting {
        std::optional<Request> request;
        Buffer command;
        replica::Answered answered;
    };

    void pass_on(const std::optional<Request>& request, Bytes command, replica::Answered answered);
    void look();

    Runtime& runtime_;
    const std::string service_;
    replica::Replica* replica_ = nullptr;
    bool holding_ = false;
    std::function<void()> held_;  ///< Null: it has been called.
    std::vector<Waiting> waiting_;
    std::size_t under_way_ = 0;  ///< Kept commands count too.
    Lifetime life_;
};

}  // namespace understudy::hosting
