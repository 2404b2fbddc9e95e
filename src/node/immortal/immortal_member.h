#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "hosting/hosted.h"
#include "hosting/locator.h"
#include "immortal/machine.h"
#include "journal/journal.h"
#include "replica/replica.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// One copy of an immortal: its machine on a journal, and its streams to and from peers.
///
/// It sends only what is committed, and confirms a message only when it is durable. As the active
/// copy it starts the service, proposes what arrives, lets timers fire, and trims what peers have
/// confirmed. As a standby it applies entries, and refuses links with the name of the active
/// member.
///
/// Thread: loop only. Source: docs/protocols/immortals.md.
class ImmortalMember : public hosting::Hosted {
public:
    struct Options {
        std::string service;
        std::string member;
        Address listen = {.host = "127.0.0.1", .port = 0};
        std::optional<TlsOptions> tls = {};
        /// While this much waits for peers, impulses and clients' calls wait too.
        std::size_t outbox_bytes_max = 64 * MiB;
        /// While its application lags by this much, everything that arrives waits.
        std::size_t lag_bytes_max = 64 * MiB;
        std::size_t unconfirmed_bytes_max = 8 * MiB;  ///< On its way to one peer.
        std::size_t trim_bytes = 1 * MiB;             ///< Confirmed bytes that are trimmed at once;
        Duration trim_interval = 50ms;                ///< fewer are trimmed after this time.
        std::uint64_t checkpoint_every_bytes = 64 * MiB;
        replica::CheckpointDuty checkpoint_duty = replica::CheckpointDuty::mine;
    };

    struct Counters {
        std::uint64_t batches_sent = 0;
        std::uint64_t batches_received = 0;
        std::uint64_t messages_received = 0;
        std::uint64_t repeated = 0;  ///< Messages that came again.
        std::uint64_t links = 0;     ///< In either direction.
        std::uint64_t refused = 0;
    };

    using Opened = std::function<void(Result<std::unique_ptr<ImmortalMember>>)>;
    using Answered = std::function<void(Result<Bytes> reply)>;  ///< Lives as long as the call.

    /// Listens, opens the journal, restores and replays; calls `opened` once, never within this
    /// call. `application` and `locator` outlive the member.
    /// Requires: the journal takes entries of 2 MiB (as with segments of 4 MiB), because a batch is
    /// one entry.
    /// Errors: those of the journal; in_use, bad_config (none): the address.
    [[nodiscard]] static std::unique_ptr<journal::Opening> open(
        Runtime& runtime, Log& log, Options options, const journal::Open& journal,
        immortal::Application& application, hosting::Locator& locator, Opened opened);

    /// Calls a handler from outside. The call is durable before it acts. It is answered when it has
    /// been carried out or, if the application is not immediate, when it is durable (without
    /// bytes).
    /// Errors: not_active (none; unknown), limit_exceeded (none: too much waits for peers), those
    /// of Replica::submit(); not_found, bad_config, failed: those of the handler.
    virtual void impulse(std::string_view handler, Bytes arguments, Answered answered) = 0;
    /// The code of this version is used from now on.
    /// Errors: as above; bad_config (none): not higher, or refused by Application::check_upgrade().
    virtual void upgrade(std::uint32_t version, Done done) = 0;
    /// Forgets a peer that will never return: what waits for it is dropped. Errors: as above.
    virtual void forget(std::string_view peer, Done done) = 0;
    /// Takes a checkpoint now. Errors: as Replica::checkpoint_now().
    virtual void checkpoint(std::function<void(Result<Index>)> done) = 0;

    [[nodiscard]] virtual const immortal::Machine& machine() const = 0;
    [[nodiscard]] virtual const Address& address() const = 0;
    [[nodiscard]] virtual const Counters& counters() const = 0;
};

}  // namespace understudy::node
