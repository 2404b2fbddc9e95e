#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/types.h"
#include "registry/tenure/turn.h"

namespace understudy::registry {

/// The connections of this tenure, and which of them reaches an agent that has members.
///
/// Bounds: `size_max` sessions.
class Sessions {
public:
    static constexpr std::size_t size_max = 20'000;

    struct Session {
        std::string agent;
        Incarnation incarnation;
        wire::pb::Process process;
    };

    /// Errors: limit_exceeded (none).
    [[nodiscard]] Result<void> may_open() const;
    /// If an older session reaches the same agent, that one is closed.
    void opened(Turn& turn, SessionId id, const wire::pb::Hello& hello);
    /// Returns the agent that no session reaches any more. Nullopt: none.
    std::optional<Incarnation> closed(SessionId id);
    /// The agent has members, or will have: this session reaches it.
    void bind(SessionId id);
    /// The agent has members, and may return.
    void expect(Incarnation agent) { agents_.try_emplace(agent); }
    /// The agent has no members any more.
    void forget(Incarnation agent) { agents_.erase(agent); }
    /// Closes the session that reaches the agent.
    void cut(Turn& turn, Incarnation agent);

    /// Null: it was closed in this turn.
    [[nodiscard]] const Session* find(SessionId id) const;
    /// Requires: it is open.
    [[nodiscard]] const Session& at(SessionId id) const { return sessions_.at(id); }
    /// The session that reaches the agent. Nullopt: none, or it has no members.
    [[nodiscard]] std::optional<SessionId> of(Incarnation agent) const;
    [[nodiscard]] bool connected(Incarnation agent) const { return of(agent).has_value(); }
    [[nodiscard]] bool knows(Incarnation agent) const { return agents_.contains(agent); }
    [[nodiscard]] const std::map<SessionId, Session>& all() const { return sessions_; }
    [[nodiscard]] std::size_t agents() const { return agents_.size(); }
    void check_invariants() const;

private:
    std::map<SessionId, Session> sessions_;
    std::map<Incarnation, SessionId> agents_;  ///< 0: not connected.
};

}  // namespace understudy::registry
