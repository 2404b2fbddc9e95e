#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "understudy/replica.h"

namespace understudy {

struct ReplicaClientOptions {
    std::string service;
    std::vector<std::string> registry = {};  ///< HOST:PORT; the registry knows the members ...
    std::vector<std::string> members = {};   ///< ... or HOST:PORT of each member.
    /// 0: a new session. Otherwise the session of an earlier process; no other process may use it.
    SessionId session = {};
    /// The number of the first request. A client that continues a session must give a number above
    /// all numbers that its earlier process may have used.
    RequestNo next = {1};
    Duration submit_timeout = 10s;  ///< For calls that wait.
    std::optional<TlsFiles> tls = {};
    LogSink log = {};                     ///< Empty: warnings and errors go to stderr.
    std::optional<Threads> threads = {};  ///< Shared with others. Empty: its own.
};

/// A client of a Replica, in any process. It submits commands to the active member and follows it.
///
///     auto client = ReplicaClient::open({.service = "Orders", .registry = {"127.0.0.1:22222"}});
///     auto reply = client->submit(command);
///
/// It has a session: each command is a request with a number. A request without an answer is sent
/// again, under the same number, to the member that is active by then, so it is carried out once. A
/// failover or a switchover is a pause, and no error. A session ends when it is not used for an
/// hour of the service's time.
///
/// It has two threads, its own or shared ones: one does the communication, the other runs
/// callbacks, one at a time, in the order of the answers. After fork() the child must not use it.
/// Thread: any. May be destroyed in a callback.
class US_API ReplicaClient {
public:
    static constexpr std::size_t outstanding_max = Replica::outstanding_max;
    static constexpr std::size_t outstanding_bytes_max = 8 * MiB;
    static constexpr std::size_t command_bytes_max = 1 * MiB;

    using Answered = std::function<void(Result<Buffer> reply)>;
    using Outcome = Replica::Outcome;

    /// It is no error if no member answers yet. Errors: bad_config (none).
    [[nodiscard]] static Result<ReplicaClient> open(ReplicaClientOptions options);
    ReplicaClient(ReplicaClient&&) noexcept;
    ReplicaClient& operator=(ReplicaClient&&) noexcept;
    ~ReplicaClient();

    /// Submits a command and waits for the reply. Must not run on the callback thread.
    /// Errors: timed_out (unknown: it is still under way, and will be carried out once),
    ///         limit_exceeded (none: too long, or too much is outstanding; unknown: its reply is
    ///         too long), no_space (none), session_expired, closed (unknown).
    [[nodiscard]] Result<Buffer> submit(Bytes command);
    /// The same without waiting: `answered` is called on the callback thread. There is no time
    /// limit. Beyond outstanding_max or outstanding_bytes_max the caller waits for room; a callback
    /// does not wait and is refused with limit_exceeded (none).
    void submit(Bytes command, Answered answered);

    /// The outcome of a request of this session, for a client that goes on after a restart. If the
    /// request has not been applied, it never will be after this. Errors: bad_config (none: it is
    /// under way here), timed_out (none), session_expired, closed (unknown).
    [[nodiscard]] Result<Outcome> outcome(RequestNo number, Duration timeout = 10s);

    /// The id of the session. Waits until the service has opened the session. Errors: timed_out,
    /// closed (none).
    [[nodiscard]] Result<SessionId> session(Duration timeout = 10s);
    /// The number of the next request that is submitted.
    [[nodiscard]] Result<RequestNo> next_number();

    /// Gives up the session once the service knows of it, and closes the client.
    /// Errors: timed_out (unknown), closed (none).
    [[nodiscard]] Result<void> end_session(Duration timeout = 2s);
    /// Ends requests that are under way with closed (unknown). The session stays. Idempotent.
    void close(Duration limit = 2s);

    struct Impl;

private:
    explicit ReplicaClient(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
