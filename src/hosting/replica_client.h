#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "hosting/active_link.h"
#include "hosting/locator.h"
#include "hosting/request_messages.h"
#include "runtime/runtime.h"
#include "understudy/request.h"

namespace understudy::hosting {

/// A client of a replica: has a session, and sends each of its requests until the active member has
/// answered it, whichever member that is. So each is carried out once.
///
/// Requests are sent in their order. After a connection is lost, all that have no answer are sent
/// again, in their order, under the same numbers.
/// Thread: loop only. May be destroyed in any callback.
/// Source: docs/protocols/requests.md.
class ReplicaClient final : private ActiveLink::Owner {
public:
    /// On their way at once. A replica keeps the replies of more requests of a session than that,
    /// so that none is forgotten before it has been told.
    static constexpr std::size_t window_max = 512;
    static constexpr std::size_t outstanding_bytes_max = 16 * MiB;

    struct Options {
        std::string service;
        SessionId session = {};  ///< 0: a new one.
        RequestNo next = {1};    ///< The number of the first request of this client.
        std::optional<TlsOptions> tls = {};
    };
    struct Outcome {
        RequestFate fate;
        Bytes reply;  ///< If applied. Lives as long as the call.
    };
    using Answered = std::function<void(Result<Bytes> reply)>;  ///< Lives as long as the call.
    using Told = std::function<void(Result<Outcome>)>;

    /// All outlive it.
    ReplicaClient(Runtime& runtime, Log& log, Options options, Locator& locator);
    ~ReplicaClient() override;
    ReplicaClient(const ReplicaClient&) = delete;
    ReplicaClient& operator=(const ReplicaClient&) = delete;

    /// Submits a command. `answered` is called once, never within this call, in the order of the
    /// commands, unless the client is destroyed before. Returns its number, 0 if it is refused.
    /// Errors: limit_exceeded (none: too long, or too much is outstanding; unknown: its reply is
    /// too
    ///         long), no_space, refused (none), session_expired (unknown).
    RequestNo submit(Bytes command, Answered answered);
    /// What became of a request of this session that has no answer here. One that has not been
    /// applied never will be after this. Errors: bad_config (none): it is under way here;
    /// session_expired (unknown).
    void outcome(RequestNo number, Told told);

    /// Called once there is a session, at once if there is one.
    void on_session(std::function<void(SessionId)> opened);
    [[nodiscard]] SessionId session() const { return session_; }
    [[nodiscard]] RequestNo next() const { return next_; }
    [[nodiscard]] std::size_t outstanding() const { return pending_.size(); }
    /// Why nothing is answered, as far as a member has said so.
    [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }

    /// Gives up the session; `done` comes last. What has no answer gets none.
    /// Requires: called once, and nothing after it.
    void close(std::function<void()> done);

private:
    struct Pending {
        RequestNo number;
        Buffer command;
        Answered answered;
        std::optional<Result<Buffer>> reply = {};  ///< It waits for those before it.
    };

    void send();
    void expire(const Error& reason);
    void answer_later(Answered answered, Error error);
    [[nodiscard]] Result<void> take_answer(Bytes body);
    [[nodiscard]] Result<void> take_outcome(Bytes body);
    void deliver();
    void await();

    // ActiveLink::Owner
    Buffer link_hello() override;
    Result<ActiveLink::Greeting> link_greeting(Bytes opaque) override;
    void link_up(Bytes welcome) override;
    Result<void> link_message(wire::MessageType type, Bytes body) override;
    void link_drained() override { send(); }
    void link_down() override { sent_ = 0; }
    void link_refused(const Error& reason) override;

    Runtime& runtime_;
    const Options options_;
    SessionId session_;
    RequestNo next_;
    std::deque<Pending> pending_;  ///< Numbers without a gap.
    std::size_t sent_ = 0;         ///< Of them, on this connection.
    std::size_t bytes_ = 0;
    std::map<RequestNo, Told> outcomes_;
    std::optional<Error> over_;  ///< The session has ended.
    std::optional<Error> trouble_;
    std::vector<std::function<void(SessionId)>> on_session_;
    ActiveLink link_;
    Lifetime life_;
};

}  // namespace understudy::hosting
