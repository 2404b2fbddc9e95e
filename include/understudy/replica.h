#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "understudy/agent.h"
#include "understudy/request.h"
#include "understudy/state_machine.h"
#include "understudy/types.h"

namespace understudy {

/// A journal in a directory of this machine, for one process at a time.
struct LocalDirectory {
    std::string path;
};

/// A journal in a directory that all members reach: of one machine, or on NFSv4, CephFS, GFS2.
/// Two members suffice. Who is active holds a lock there and shows progress.
struct SharedDirectory {
    std::string path;
    Duration lease = 1s;  ///< How long an active member may be silent.
    /// Where standbys hear at once what the active member has committed: HOST:PORT, as the others
    /// reach it; port 0 is any. Who cannot reach it, or if it is empty, looks every 20 ms.
    std::string listen = "127.0.0.1:0";
    std::optional<TlsFiles> tls = {};  ///< For that; needed beyond loopback.
};

/// A journal that the members keep together, each on its own disk; a majority must run.
/// All members name the same nodes in the same order, and must be up once at the same time.
struct ReplicatedGroup {
    struct Node {
        std::string name;
        std::string address;  ///< HOST:PORT
    };
    std::string directory;    ///< Of this member alone.
    std::vector<Node> nodes;  ///< This one among them: the one that is called like the member.
    std::optional<TlsFiles> tls = {};
    bool insecure = false;  ///< Allows addresses beyond loopback without TLS.
};

struct ReplicaOptions {
    std::string service;
    std::string member;  ///< Of this process; no other member has it.
    std::variant<LocalDirectory, SharedDirectory, ReplicatedGroup> journal;
    /// A checkpoint is due after so many bytes of commands, and not before there are as many as
    /// the last one was long.
    std::uint64_t checkpoint_every_bytes = 64 * MiB;
    LogSink log = {};  ///< Empty: warnings and errors go to stderr.
};

/// What a member is for its service, as far as it knows.
struct ReplicaStatus {
    Role role = Role::joining;  ///< joining: the journal is not open yet.
    Epoch epoch = {};
    std::string active = {};  ///< Empty: not known.
    Index applied = {};
    Index checkpoint = {};           ///< The newest; 0: none.
    Duration time = {};              ///< What state machines are told.
    std::string durability = "disk";  ///< disk: on the directory, or by a majority of the members.
    bool disk_full = false;
    std::size_t sessions = 0;
    std::uint64_t commands = 0;  ///< Applied in this process; so are the next two.
    std::uint64_t repeated = 0;  ///< Requests that were answered, not carried out again.
    std::uint64_t checkpoints = 0;
    std::optional<Error> failed = {};  ///< This member cannot go on; start a new one.
};

/// One member of a service whose state is a state machine on a journal.
///
/// Every member applies the same commands in the same order; the active one takes them. If it dies,
/// another is active with the same state, and the answers to all requests.
///
/// Has two threads: the loop thread, on which the state machine runs, and one on which all other
/// callbacks run, one at a time, in order. What those throw is caught and logged; a state machine
/// must not throw. Installs no signal handlers. After fork() the child must not use it.
///
/// Thread: any. May be destroyed in any callback but the state machine's. Destroying it leaves the
/// journal in order, if that takes no longer than two seconds.
class US_API Replica {
public:
    static constexpr std::size_t outstanding_max = 65'536;  ///< Commands that wait for an answer.
    static constexpr std::size_t outstanding_bytes_max = 16 * MiB;

    using Answered = std::function<void(Result<Buffer> reply)>;

    struct Outcome {
        RequestFate fate;
        Buffer reply;  ///< If applied.
    };

    /// Returns at once; wait_open() tells how it went, wait_active() when commands are taken.
    /// `machine` is as new. Errors: bad_config (none).
    [[nodiscard]] static Result<Replica> open(ReplicaOptions options,
                                              std::shared_ptr<StateMachine> machine);
    Replica(Replica&&) noexcept;
    Replica& operator=(Replica&&) noexcept;
    ~Replica();

    /// Waits until what the journal holds has been applied.
    /// Errors: timed_out, closed, in_use, corrupt, disk_failed, bad_config, bad_path, not_permitted,
    ///         no_descriptors, no_memory (none).
    [[nodiscard]] Result<void> wait_open(Duration timeout = 30s);
    /// Waits until this member is active. Errors: as above.
    [[nodiscard]] Result<void> wait_active(Duration timeout = 30s);

    /// Carries out a command and waits for the reply. Not on a callback's thread.
    /// Errors: not_active (none: not taken, says who is; unknown: lost the role meanwhile),
    ///         timed_out (unknown), limit_exceeded, no_space, closed (none), disk_failed (unknown).
    [[nodiscard]] Result<Buffer> submit(Bytes command, Duration timeout = 10s);
    /// The same without waiting: `answered` is called on the callback thread, in the order of the
    /// commands. Beyond outstanding_max or outstanding_bytes_max the caller waits for room; a
    /// callback does not, and is refused with limit_exceeded.
    void submit(Bytes command, Answered answered);

    /// A request of a session is carried out once, however often it is submitted, here or at other
    /// members. Errors: as above; session_expired (unknown), refused (none: abandoned).
    [[nodiscard]] Result<Buffer> submit(const Request& request, Bytes command,
                                        Duration timeout = 10s);
    void submit(const Request& request, Bytes command, Answered answered);
    /// A session for one client. Lasts until it has not been used for an hour.
    [[nodiscard]] Result<SessionId> open_session(Duration timeout = 10s);
    /// What became of a request. One that has not been applied never will be after this.
    [[nodiscard]] Result<Outcome> outcome(const Request& request, Duration timeout = 10s);

    /// Calls `look` on the loop thread when the state holds all that anybody was told of before
    /// this call; it may look at the state machine and must return soon.
    /// Errors: not_active, timed_out, closed (none).
    [[nodiscard]] Result<void> read(std::function<void()> look, Duration timeout = 10s);

    /// Called with the status as it is, then when role, epoch or active member change. A member that
    /// was ever standby hears standby before active.
    void on_role(std::function<void(const ReplicaStatus&)> listener);

    [[nodiscard]] ReplicaStatus status() const;

    /// Lets what was taken finish, then leaves the journal to others. Idempotent.
    void close(Duration limit = 2s);

    struct Impl;

private:
    explicit Replica(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
