#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/lifetime.h"
#include "base/log.h"
#include "hosting/active_hint.h"
#include "hosting/locator.h"
#include "hosting/request_messages.h"
#include "hosting/session_server.h"
#include "hosting/submitter.h"
#include "replica/replica.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// The port where the clients of a replica connect. Each client has a session, and each of its
/// requests is carried out once. A member that is not active names the active one.
///
/// Connections end with the tenure: clients then look for the next active member.
/// Thread: loop only. Source: docs/protocols/requests.md.
class ReplicaPort final : private SessionServer::Desk {
public:
    static constexpr std::size_t connections_max = 16'384;

    struct Options {
        std::string service;
        std::string member;
        Address listen;
        std::optional<TlsOptions> tls = {};
        Duration handshake_limit = 2s;
    };

    /// All arguments outlive this object.
    ReplicaPort(Runtime& runtime, Log& log, Options options, Locator& locator,
                Submitter& submitter);
    ~ReplicaPort() override;

    /// Listens. Until begin(), clients are told that this member is not active. Errors: as
    /// Network::listen().
    [[nodiscard]] Result<void> listen();
    void begin(replica::Replica& replica) { replica_ = &replica; }
    /// To be called when a tenure has begun or ended here. Ends the sessions of the tenure before.
    void tenure_changed();
    /// Accepts no more connections, and ends all sessions.
    void close();

    [[nodiscard]] const Address& address() const { return connections_.listener()->address(); }

private:
    void open_session(LinkId id);
    void welcome(LinkId id, SessionId session);
    void end(LinkId id, const Error& reason);
    void submit(LinkId id, SessionId session, Bytes body);
    void outcome(LinkId id, SessionId session, Bytes body);
    void answer(LinkId id, wire::MessageType type, const AnswerMessage& message);

    // SessionServer::Desk
    void session_hello(LinkId id, Bytes opaque) override;
    void session_message(LinkId id, wire::MessageType type, Bytes body) override;
    void session_closed(LinkId id) override;

    const Options options_;
    ActiveHint hint_;
    Submitter& submitter_;
    replica::Replica* replica_ = nullptr;
    std::set<LinkId> opening_;  ///< Their session is not yet in the journal.
    std::map<LinkId, SessionId> sessions_;
    SessionServer connections_;
    Lifetime life_;
};

}  // namespace understudy::hosting
