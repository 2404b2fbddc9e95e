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

/// A client of a replica. It has a session, and sends each of its requests until an active member
/// has answered it. So each request is carried out once.
///
/// Requests are sent in their order. After a connection is lost, all requests without an answer are
/// sent again, in their order, under the same numbers.
/// Thread: loop only. May be destroyed in any callback.
/// Source: docs/protocols/requests.md.
class ReplicaClient final : private ActiveLink::Owner {
public:
    /// Requests that are under way at the same time. A replica keeps the replies of more requests
    /// of a session than that, so no reply is forgotten before it has been delivered.
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
        Bytes reply;  ///< Only if `fate` is applied. Lives as long as the call.
    };
    using Answered = std::function<void(Result<Bytes> reply)>;  ///< Lives as long as the call.
    using Told = std::function<void(Result<Outcome>)>;

    /// All arguments outlive this object.
    ReplicaClient(Runtime& runtime, Log& log, Options options, Locator& locator);
    ~ReplicaClient() override;
    ReplicaClient(const ReplicaClient&) = delete;
    ReplicaClient& operator=(const ReplicaClient&) = delete;

    /// Submits a command. `answered` is called once, never within this call, in the order of the
    /// commands, unless the client is destroyed before. Returns the number of the request; 0: it is
    /// refused.
    /// Errors: limit_exceeded (none: too long, or too much is outstanding; unknown: the reply is
    ///         too long), no_space, refused (none), session_expired (unknown).
    RequestNo submit(Bytes command, Answered answered);
    /// The outcome of a request of this session that is not under way here. If the request has not
    /// been applied, it never will be after this. Errors: bad_config (none): it is under way here;
    /// session_expired (unknown).
    void outcome(RequestNo number, Told told);

    /// Sets a function that is called when there is a session; at once if there is one.
    void on_session(std::function<void(SessionId)> opened);
    [[nodiscard]] SessionId session() const { return session_; }
    [[nodiscard]] RequestNo next() const { return next_; }
    [[nodiscard]] std::size_t outstanding() const { return pending_.size(); }
    /// Why no request is answered, if a member has given a reason.
    [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }

    /// Gives up the session; `done` is called last. Requests without an answer get none.
    /// Requires: this is the last call, and the only one.
    void close(std::function<void()> done);

private:
    struct Pending {
        RequestNo number;
        Buffer command;
        Answered answered;
        std::optional<Result<Buffer>> reply = {};  ///< It waits for earlier replies.
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
    std::size_t sent_ = 0;         ///< How many were sent on this connection.
    std::size_t bytes_ = 0;
    std::map<RequestNo, Told> outcomes_;
    std::optional<Error> over_;  ///< The session has ended.
    std::optional<Error> trouble_;
    std::vector<std::function<void(SessionId)>> on_session_;
    ActiveLink link_;
    Lifetime life_;
};

}  // namespace understudy::hosting
