#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "immortal/machine.h"
#include "journal/journal.h"
#include "node/locator.h"
#include "replica/replica.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// One copy of an immortal: its machine on a journal, its streams to and from others.
///
/// Sends what is committed, and nothing else; says that something is durable when it is. As long as
/// it is active: starts the service, proposes what arrives, lets timers fire, has what others
/// confirmed trimmed. As standby it applies, and refuses links, saying who is active.
///
/// Destroying it gives up; close() is the orderly way. Both may be called in any callback.
/// Thread: loop only. Source: docs/protocols/immortals.md.
class ImmortalMember {
public:
    struct Options {
        std::string service;
        std::string member;
        Address listen = {.host = "127.0.0.1", .port = 0};
        std::optional<TlsOptions> tls = {};
        /// While so much waits for others, impulses and clients' calls wait too.
        std::size_t outbox_bytes_max = 64 * MiB;
        /// While its application lags by so much, everything that comes waits.
        std::size_t lag_bytes_max = 64 * MiB;
        std::size_t unconfirmed_bytes_max = 8 * MiB;  ///< On its way to one peer.
        std::size_t trim_bytes = 1 * MiB;             ///< Confirmed; then it is trimmed at once ...
        Duration trim_interval = 50ms;                ///< ... or after this.
        std::uint64_t checkpoint_every_bytes = 64 * MiB;
        replica::CheckpointDuty checkpoint_duty = replica::CheckpointDuty::mine;
    };

    struct Counters {
        std::uint64_t batches_sent = 0;
        std::uint64_t batches_received = 0;
        std::uint64_t messages_received = 0;
        std::uint64_t repeated = 0;  ///< Messages that came again.
        std::uint64_t links = 0;     ///< Made, either way.
        std::uint64_t refused = 0;
    };

    using Opened = std::function<void(Result<std::unique_ptr<ImmortalMember>>)>;
    using Done = std::function<void(Result<void>)>;
    using Answered = std::function<void(Result<Bytes> reply)>;  ///< Lives as long as the call.

    /// Listens, opens the journal, restores and replays; calls `opened` once, never within this
    /// call. `application` and `locator` outlive the member.
    /// Requires: the journal takes entries of 2 MiB (segments of 4 MiB do): a batch is one.
    /// Errors: of the journal; in_use, bad_config (none): the address.
    [[nodiscard]] static std::unique_ptr<journal::Opening> open(
        Runtime& runtime, Log& log, Options options, const journal::Open& journal,
        immortal::Application& application, Locator& locator, Opened opened);
    virtual ~ImmortalMember() = default;

    /// A call from outside: durable before it acts. Answered when it has been carried out, or, with
    /// an application that is not immediate, when it is durable (no bytes).
    /// Errors: not_active (none; unknown), limit_exceeded (none: too much waits for others), those
    ///         of Replica::submit(); not_found, bad_config, failed: what the handler was refused
    ///         with.
    virtual void impulse(std::string_view handler, Bytes arguments, Answered answered) = 0;
    /// From now on the code of this version acts.
    /// Errors: as above; bad_config (none): not higher, or refused by Application::check_upgrade().
    virtual void upgrade(std::uint32_t version, Done done) = 0;
    /// A peer that will never come again: what waits for it is given up. Errors: as above.
    virtual void forget(std::string_view peer, Done done) = 0;
    /// Calls `done` when the state has all that anybody was told of before this call.
    /// Errors: as Replica::read().
    virtual void read(Done done) = 0;
    /// Takes a checkpoint now. Errors: as Replica::checkpoint_now().
    virtual void checkpoint(std::function<void(Result<Index>)> done) = 0;
    virtual void set_checkpoint_duty(bool mine) = 0;

    /// What comes from now on waits here; `held` is called, never within this call, when nothing
    /// that came before is on its way into the journal any more. Callers notice no more than a
    /// pause. It ends with release(), in order, or with the tenure: then whoever is active next is
    /// asked for what came from others, and impulses are refused (not_active, none).
    /// Bounds: `held_max` impulses; of what others send, what may be parked.
    virtual void hold(std::function<void()> held) = 0;
    virtual void release() = 0;
    static constexpr std::size_t held_max = 4096;

    [[nodiscard]] virtual const replica::Replica& replica() const = 0;
    [[nodiscard]] virtual const immortal::Machine& machine() const = 0;
    [[nodiscard]] virtual const Address& address() const = 0;
    [[nodiscard]] virtual const Counters& counters() const = 0;

    virtual void on_standing(std::function<void(const replica::Standing&)> changed) = 0;
    virtual void on_failed(std::function<void(const Error&)> failed) = 0;
    /// Requires: called once.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::node
