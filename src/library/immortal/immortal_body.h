#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/log.h"
#include "runtime/runtime.h"
#include "understudy/immortal_member.h"

namespace understudy::library {

/// Runs a copy of an immortal, with a journal and connections in this process or beside a
/// coordinator. The destructor ends it at once; close() ends it in order. Thread: loop only, except
/// check().
class ImmortalBody {
public:
    /// These calls must not destroy the body.
    class Observer {
    public:
        virtual ~Observer() = default;
        /// The journal is open, or role, epoch or active member have changed.
        virtual void standing_changed() = 0;
        /// The last call.
        virtual void failed(const Error& error) = 0;
    };
    using Answered = std::function<void(Result<Bytes> reply)>;
    using Done = std::function<void(Result<void>)>;
    using Look = std::function<Result<void>(const ImmortalObject&)>;

    virtual ~ImmortalBody() = default;

    /// Errors: bad_config (none).
    [[nodiscard]] static Result<void> check(const ImmortalOptions& options);
    /// Requires: check() succeeded; all arguments outlive the body. Calls the observer later.
    [[nodiscard]] static std::unique_ptr<ImmortalBody> make(Runtime& runtime, Log& log,
                                                            const ImmortalOptions& options,
                                                            const ImmortalMember::Classes& classes,
                                                            Observer& observer);

    virtual void impulse(std::string_view handler, Bytes arguments, Answered answered) = 0;
    virtual void upgrade(std::uint32_t version, Done done) = 0;
    virtual void forget(std::string_view peer, Done done) = 0;
    virtual void look(Look look, Done done) = 0;
    virtual void fill(ImmortalStatus& status) const = 0;
    virtual void close(std::function<void()> done) = 0;
};

/// The address of a coordinator: HOST:PORT, or the path of its socket. Errors: bad_config (none).
[[nodiscard]] Result<Address> coordinator_address(const std::string& text);

/// Makes a body beside a coordinator.
[[nodiscard]] std::unique_ptr<ImmortalBody> make_immortal_beside(
    Runtime& runtime, Log& log, const ImmortalOptions& options,
    const ImmortalMember::Classes& classes, ImmortalBody::Observer& observer);

}  // namespace understudy::library
