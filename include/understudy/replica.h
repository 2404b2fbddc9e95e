#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "understudy/journal.h"
#include "understudy/request.h"
#include "understudy/state_machine.h"
#include "understudy/threads.h"
#include "understudy/tls.h"
#include "understudy/types.h"

namespace understudy {

/// Which member of a service takes checkpoints.
enum class Checkpointer : std::uint8_t {
    dedicated,  ///< A separate member, which never becomes active: it lags by a checkpoint.
    shared,     ///< A standby, which may still become active: two members are a pair.
};

struct ReplicaOptions {
    std::string service;
    std::string member;  ///< The name of this member; no other member has it.
    std::variant<LocalDirectory, SharedDirectory, ReplicatedGroup> journal;
    /// HOST:PORT of the platform's registry. The member registers there: it has a place in the
    /// start order, is listed by `understudy service`, takes part in switchovers, and clients find
    /// it. After the first designation it goes on without the registry. Empty: no registry is
    /// asked.
    std::vector<std::string> registry = {};
    /// HOST:PORT where clients (ReplicaClient) connect; port 0 is any. Empty: 127.0.0.1:0 with a
    /// registry, otherwise nowhere.
    std::string listen = {};
    std::string advertise = {};        ///< Host told to others: containers, several addresses.
    std::optional<TlsFiles> tls = {};  ///< For clients and the registry.
    bool insecure = false;             ///< Allows `listen` beyond loopback without TLS.
    /// With a registry. The same for all members.
    Checkpointer checkpointer = Checkpointer::shared;
    std::optional<Threads> threads = {};  ///< Shared with others. Empty: its own.
    /// A checkpoint is due after this many bytes of commands, but not before there are as many
    /// bytes as the last checkpoint had.
    std::uint64_t checkpoint_every_bytes = 64 * MiB;
    LogSink log = {};  ///< Empty: warnings and errors go to stderr.
};

/// What a member knows about itself and its service.
struct ReplicaStatus {
    Role role = Role::joining;  ///< joining: the journal is not open yet.
    Epoch epoch = {};
    std::string address = {};  ///< Where clients connect; empty: nowhere.
    std::string active = {};  ///< Empty: not known.
    Index applied = {};
    Index checkpoint = {};  ///< The newest checkpoint; 0: none.
    Duration time = {};     ///< The time that state machines see.
    std::string durability =
        "disk";  ///< disk: durable in the directory, or at a majority of the members.
    bool disk_full = false;
    std::size_t sessions = 0;
    std::uint64_t commands = 0;  ///< Applied. This and the next two count in this process only.
    std::uint64_t repeated = 0;  ///< Requests that were answered but not carried out again.
    std::uint64_t checkpoints = 0;
    std::optional<Error> failed = {};  ///< Set if this member cannot go on; start a new one.
};

/// One member of a service whose state is a state machine on a journal.
///
/// Every member applies the same commands in the same order; the active member takes new ones. If
/// it dies, another becomes active with the same state and with the answers to all requests.
///
/// A replica has two threads: the loop thread, on which the state machine runs, and one on which
/// all other callbacks run, one at a time, in order. An exception from a callback is caught and
/// logged; a state machine must not throw. The replica installs no signal handlers. After fork()
/// the child must not use it.
///
/// Thread: any. It may be destroyed in any callback except the state machine's. The destructor
/// leaves the journal in order, if that takes no longer than two seconds.
class US_API Replica {
public:
    static constexpr std::size_t outstanding_max = 65'536;  ///< Commands that wait for an answer.
    static constexpr std::size_t outstanding_bytes_max = 16 * MiB;

    using Answered = std::function<void(Result<Buffer> reply)>;
    using MakeStateMachine = std::function<std::shared_ptr<StateMachine>()>;

    struct Outcome {
        RequestFate fate;
        Buffer reply;  ///< Only if `fate` is applied.
    };

    /// Returns at once. wait_open() tells the result; wait_active() waits until commands are taken.
    /// Requires: `machine` has its initial state.
    /// Errors: bad_config (none).
    [[nodiscard]] static Result<Replica> open(ReplicaOptions options,
                                              std::shared_ptr<StateMachine> machine);
    /// The same for a member that may have to open its journal again when its designation changes,
    /// with a registry and Checkpointer::dedicated. It then needs another state machine in its
    /// initial state. `make` is called on the loop thread, and returns such a state machine.
    [[nodiscard]] static Result<Replica> open(ReplicaOptions options, MakeStateMachine make);
    Replica(Replica&&) noexcept;
    Replica& operator=(Replica&&) noexcept;
    ~Replica();

    /// Waits until all entries of the journal have been applied.
    /// Errors: timed_out, closed, in_use, corrupt, disk_failed, bad_config, bad_path,
    ///         not_permitted, no_descriptors, no_memory (none).
    [[nodiscard]] Result<void> wait_open(Duration timeout = 30s);
    /// Waits until this member is active. Errors: as above.
    [[nodiscard]] Result<void> wait_active(Duration timeout = 30s);

    /// Carries out a command and waits for the reply. Must not run on the callback thread.
    /// Errors: not_active (none: not taken, the detail says which member is active; unknown: the
    /// role was lost meanwhile), timed_out (unknown), limit_exceeded, no_space, closed (none),
    /// disk_failed (unknown).
    [[nodiscard]] Result<Buffer> submit(Bytes command, Duration timeout = 10s);
    /// Submits without waiting. `answered` is called on the callback thread, in the order of the
    /// commands. Beyond outstanding_max or outstanding_bytes_max the caller waits for room; a
    /// callback does not wait and is refused with limit_exceeded.
    void submit(Bytes command, Answered answered);

    /// A request of a session is carried out once, however often it is submitted, here or at other
    /// members.
    /// Errors: as above; session_expired (unknown), refused (none: abandoned).
    [[nodiscard]] Result<Buffer> submit(const Request& request, Bytes command,
                                        Duration timeout = 10s);
    void submit(const Request& request, Bytes command, Answered answered);
    /// A session for one client. Lasts until it has not been used for an hour.
    [[nodiscard]] Result<SessionId> open_session(Duration timeout = 10s);
    /// The outcome of a request. If it has not been applied, it never will be after this.
    [[nodiscard]] Result<Outcome> outcome(const Request& request, Duration timeout = 10s);

    /// Calls `look` on the loop thread once the state holds everything that was acknowledged to any
    /// client before this call. `look` may read the state machine and must return soon.
    /// Errors: not_active, timed_out, closed (none).
    [[nodiscard]] Result<void> read(std::function<void()> look, Duration timeout = 10s);

    /// The listener is called with the present status first, then when role, epoch or active member
    /// change. A member that was ever standby hears standby before active.
    void on_role(std::function<void(const ReplicaStatus&)> listener);

    [[nodiscard]] ReplicaStatus status() const;

    /// Lets the commands that were taken finish, then releases the journal. Idempotent.
    void close(Duration limit = 2s);

    struct Impl;

private:
    explicit Replica(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
