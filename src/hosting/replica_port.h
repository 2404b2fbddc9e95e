#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/lifetime.h"
#include "base/log.h"
#include "hosting/active_hint.h"
#include "hosting/locator.h"
#include "hosting/request_messages.h"
#include "hosting/submitter.h"
#include "link/link.h"
#include "link/refusals.h"
#include "replica/replica.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// Where the clients of a replica connect: each has a session, and its requests are carried out
/// once each. A member that is not active says which one is.
///
/// Connections end with the tenure: clients then look for the next active member.
/// Thread: loop only. Source: docs/protocols/requests.md.
class ReplicaPort final : private link::Link::Observer {
public:
    static constexpr std::size_t connections_max = 16'384;

    struct Options {
        std::string service;
        std::string member;
        Address listen;
        std::optional<TlsOptions> tls = {};
        Duration handshake_limit = 2s;
    };

    /// All outlive it.
    ReplicaPort(Runtime& runtime, Log& log, Options options, Locator& locator,
                Submitter& submitter);
    ~ReplicaPort() override;

    /// Listens. Clients are refused until begin(). Errors: as Network::listen().
    [[nodiscard]] Result<void> listen();
    void begin(replica::Replica& replica) { replica_ = &replica; }
    /// To be called when the role, the epoch or the active member has changed: the connections of
    /// the old tenure end.
    void standing_changed();
    /// Refuses what comes, and ends all connections.
    void close();

    [[nodiscard]] const Address& address() const { return listener_->address(); }
    [[nodiscard]] std::size_t connections() const { return rows_.size(); }

private:
    enum class Stage : std::uint8_t { guest, opening, open, leaving };
    struct Row {
        std::uint64_t id = 0;
        std::unique_ptr<link::Link> link;
        Stage stage = Stage::guest;
        SessionId session;
    };

    void accepted(std::unique_ptr<Connection> connection);
    void open_session(std::uint64_t id);
    void welcome(Row& row, SessionId session);
    void end(Row& row, const Error& reason);
    void submit(Row& row, Bytes body);
    void outcome(Row& row, Bytes body);
    void answer(std::uint64_t id, wire::MessageType type, const AnswerMessage& message);
    [[nodiscard]] Row* find(std::uint64_t id);

    void link_hello(link::Link& link, Bytes opaque) override;
    void link_welcome(link::Link& link, Bytes opaque) override;
    void link_message(link::Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(link::Link& link) override;
    void link_closed(link::Link& link, const Error& reason) override;

    Runtime& runtime_;
    const Options options_;
    link::Refusals refusals_;
    ActiveHint hint_;
    Submitter& submitter_;
    replica::Replica* replica_ = nullptr;
    std::unique_ptr<Listener> listener_;
    std::map<const link::Link*, Row> rows_;
    std::map<std::uint64_t, const link::Link*> by_id_;
    std::uint64_t last_id_ = 0;
    Lifetime life_;
};

}  // namespace understudy::hosting
