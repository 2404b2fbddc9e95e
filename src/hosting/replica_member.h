#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "hosting/hosted.h"
#include "hosting/locator.h"
#include "hosting/submitter.h"
#include "journal/journal.h"
#include "replica/replica.h"
#include "replica/state_machine.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// An open copy of a service whose state is a state machine: its replica, and the port where its
/// clients connect.
///
/// Thread: loop only.
class ReplicaMember : public Hosted {
public:
    struct Options {
        std::string service;
        std::string member;
        std::optional<Address> listen = {};  ///< Where clients connect. Empty: nowhere.
        std::optional<TlsOptions> tls = {};
        replica::Replica::Options replica = {};
    };
    using Opened = std::function<void(Result<std::unique_ptr<ReplicaMember>>)>;

    /// Listens, opens the journal, restores and replays; calls `opened` once, never within this
    /// call. `machine` and `locator` outlive the member.
    /// Errors: those of replica::Replica::open(); in_use, bad_config (none): the address.
    [[nodiscard]] static std::unique_ptr<journal::Opening> open(Runtime& runtime, Log& log,
                                                                Options options,
                                                                const journal::Open& journal,
                                                                replica::StateMachine& machine,
                                                                Locator& locator, Opened opened);

    /// As replica::Replica::submit(), with or without a request. `answered` takes a
    /// Result<replica::Reply>. Errors: the same, and limit_exceeded (none): too many commands wait
    /// for the end of a handover.
    template <class Answered>
    void submit(const std::optional<Request>& request, Bytes command, Answered answered) {
        if (auto room = submitter().check_room(); !room) {
            return refuse_later(std::move(answered), room.error());
        }
        submitter().submit(request, command, std::move(answered));
    }
    /// The same for a caller in this process that itself bounds what it submits.
    template <class Answered>
    void submit_own(Bytes command, Answered answered) {
        submitter().submit(std::nullopt, command, std::move(answered));
    }
    virtual void open_session(std::function<void(Result<SessionId>)> opened) = 0;
    virtual void outcome(const Request& request,
                         std::function<void(Result<replica::Replica::Outcome>)> told) = 0;
    /// Where clients connect. Port 0: nowhere.
    [[nodiscard]] virtual Address address() const = 0;

private:
    [[nodiscard]] virtual Submitter& submitter() = 0;
    virtual void refuse_later(replica::Answered answered, Error error) = 0;
};

}  // namespace understudy::hosting
