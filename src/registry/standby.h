#pragma once

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"
#include "registry/nodes.h"
#include "registry/state/state.h"
#include "registry/session_id.h"
#include "wire/message_type.h"

namespace understudy::registry {

/// What a node of a registry does while it is not the active one: it redirects agents to the node
/// that is, and answers cached lookups from the state that it has applied.
///
/// An agent may connect while no node is known to be active, or after the agent itself has found
/// that node gone. Its handshake is then held until it is decided which node is next; the agent is
/// accepted here or redirected. So agents need not ask again and again during a failover.
///
/// Sans-IO: events and the time in, effects out. Thread: loop only.
/// Bounds: `held_max` handshakes held, `readers_max` sessions; one more is refused.
/// Source: docs/protocols/control.md, "Several nodes".
class Standby {
public:
    struct Options {
        std::string name = "registry";
        std::string version = {};
        Duration hold_max = 400ms;  ///< Of a handshake; then the agent tries another node.
    };

    // Effects, in this order.

    /// Answers the hello. `last`: then the connection ends.
    struct Greet {
        SessionId to;
        wire::pb::Welcome welcome;
        bool last;
    };
    struct Refuse {
        SessionId to;
        Error reason;
    };
    struct Send {
        SessionId to;
        wire::MessageType type;
        Buffer body;
    };
    using Effect = std::variant<Greet, Refuse, Send>;
    using Effects = std::vector<Effect>;

    static constexpr std::size_t held_max = 20'000;
    static constexpr std::size_t readers_max = 20'000;

    /// Requires: `state` outlives this.
    Standby(Options options, const State& state) : options_(std::move(options)), state_(state) {}

    [[nodiscard]] Effects greeted(TimePoint now, SessionId session, const wire::pb::Hello& hello);
    /// Errors: corrupt (none): the peer does not speak our protocol; close the session.
    [[nodiscard]] Result<Effects> received(TimePoint now, SessionId session, wire::MessageType type,
                                           Bytes body);
    void closed(SessionId session);
    /// Empty: no node is known.
    [[nodiscard]] Effects active_changed(TimePoint now, const std::string& active);
    [[nodiscard]] Effects tick(TimePoint now);
    /// max() if tick() is not wanted.
    [[nodiscard]] TimePoint next_deadline() const;

    /// Takes the handshakes that are held. For the moment when this node becomes active.
    [[nodiscard]] std::map<SessionId, wire::pb::Hello> let_in();

    void set_nodes(std::vector<Node> nodes) { nodes_ = std::move(nodes); }
    /// Filled in by the shell before it hands over a message.
    void set_journal(wire::pb::JournalInfo journal) { journal_ = std::move(journal); }
    /// When this node last knew that nothing was missing here.
    void set_heard(TimePoint heard) { heard_ = heard; }

private:
    struct Held {
        wire::pb::Hello hello;
        TimePoint until;
    };

    [[nodiscard]] bool decided_for(const wire::pb::Hello& hello) const;
    [[nodiscard]] wire::pb::Welcome welcome() const;
    [[nodiscard]] wire::pb::Answer answer(TimePoint now, const wire::pb::Ask& ask) const;
    void look_up(TimePoint now, const wire::pb::LookupAsk& ask, wire::pb::Answer& answer) const;

    const Options options_;
    const State& state_;
    std::vector<Node> nodes_;
    std::string active_;
    wire::pb::JournalInfo journal_;
    TimePoint heard_;
    std::map<SessionId, Held> held_;
    std::set<SessionId> readers_;
};

}  // namespace understudy::registry
