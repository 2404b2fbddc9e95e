#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/complaints.h"
#include "base/log.h"
#include "base/types.h"
#include "registry/agents/evidence.h"
#include "registry/agents/grants.h"
#include "registry/agents/node_changes.h"
#include "registry/agents/queries.h"
#include "registry/agents/reports.h"
#include "registry/agents/sessions.h"
#include "registry/agents/watches.h"
#include "registry/nodes.h"
#include "registry/state/state.h"
#include "registry/tenure/effects.h"
#include "registry/tenure/pending.h"
#include "registry/tenure/switchovers.h"
#include "registry/tenure/turn.h"
#include "registry/tenure/waits.h"
#include "wire/message_type.h"

namespace understudy::registry {

/// What the active node of a registry does, for as long as one epoch of it lasts: the part that is
/// not replicated.
///
/// It turns events into commands for the State, and the decisions of the State into messages. It
/// binds its parts, each of which has one job: connections, evidence, proposals, grants, reports,
/// waits, switchovers, queries, nodes, watches.
///
/// A tenure is created when a node becomes active, and destroyed at the end of that role, with all
/// that it knew of connections, leases and evidence. In the next tenure each known member has one
/// full lease to return. A command that was proposed may be applied in the next tenure; each
/// command is such that it changes nothing a second time.
///
/// Sans-IO: events and the time in, effects out. Thread: loop only.
/// Bounds: those of its parts; beyond them requests are refused with limit_exceeded (none).
/// Source: docs/protocols/roles.md.
class Tenure {
public:
    // replica::Tenure
    using Effect = registry::Effect;
    using Hello = wire::pb::Hello;
    using Welcome = wire::pb::Welcome;
    using Applied = registry::Applied;

    struct Options {
        std::string name = "registry";
        std::string platform = "understudy";
        std::string version = {};
        Duration turn_max = 50ms;  ///< The shell calls tick() at least this often.
        Switchovers::Limits switchover = {};
        /// How long a checkpointer waits for others before it may be active as a last resort.
        Duration last_resort_wait = 5s;
    };

    /// Requires: `state` is recovered and outlives this; call start() next.
    Tenure(const Options& options, State& state, Log& log, TimePoint now);

    /// Founds the platform if it is new (`registry_id` is used then) and opens all leases.
    [[nodiscard]] Effects start(TimePoint now, std::uint64_t wall_ms, std::uint64_t registry_id);

    [[nodiscard]] Result<wire::pb::Welcome> welcome(const wire::pb::Hello& hello) const;
    [[nodiscard]] Effects opened(TimePoint now, SessionId session, const wire::pb::Hello& hello);
    /// Errors: corrupt (none): the peer does not speak our protocol; close the session.
    [[nodiscard]] Result<Effects> received(TimePoint now, std::uint64_t wall_ms, SessionId session,
                                           wire::MessageType type, Bytes body);
    [[nodiscard]] Effects closed(TimePoint now, SessionId session);
    [[nodiscard]] Effects process_gone(TimePoint now, std::uint64_t wall_ms, Incarnation agent);
    /// Answer to WatchProcess: its death cannot be proven from here.
    void unprovable(Incarnation agent) { evidence_.unprovable(agent); }
    [[nodiscard]] Effects committed(TimePoint now, std::uint64_t wall_ms, std::uint64_t token,
                                    const Result<Applied>& result);
    /// This node was still active when the effect Confirm came, or was not.
    [[nodiscard]] Effects confirmed(TimePoint now, std::uint64_t token, const Result<void>& result);
    [[nodiscard]] Effects nodes_changed(TimePoint now, std::uint64_t token,
                                        const Result<void>& result);
    [[nodiscard]] Effects tick(TimePoint now, std::uint64_t wall_ms);
    /// The tenure has ended. Open questions are answered with what is known, all sessions are
    /// closed. The last call.
    [[nodiscard]] Effects retire(TimePoint now);
    /// When tick() is wanted; never later than turn_max from `now`.
    [[nodiscard]] TimePoint next_deadline(TimePoint now) const;

    /// Filled in by the shell before it answers a question about the platform.
    void set_space(std::string space) { queries_.set_space(std::move(space)); }
    void set_journal(wire::pb::JournalInfo journal) { queries_.set_journal(std::move(journal)); }
    /// All nodes of this registry; none if it runs alone. Agents are told when they change.
    [[nodiscard]] Effects set_nodes(std::vector<Node> nodes);

    [[nodiscard]] std::size_t sessions() const { return sessions_.all().size(); }
    [[nodiscard]] bool serving() const { return state_.founded(); }
    void check_invariants() const;

private:
    [[nodiscard]] Turn begin(TimePoint now, std::uint64_t wall_ms = 0);
    [[nodiscard]] Effects end(Turn& turn);

    void on(Turn& turn, SessionId session, const wire::pb::Register& wanted);
    void on(Turn& turn, SessionId session, const wire::pb::Unregister& wanted);
    void on(Turn& turn, SessionId session, const wire::pb::Watch& watch);
    void on(Turn& turn, SessionId session, const wire::pb::Ask& ask);
    void on(Turn& turn, SessionId session, wire::pb::MemberReport report);
    void raise_epoch(Turn& turn, SessionId session, const wire::pb::KnownEpoch& known);
    [[nodiscard]] static Result<void> ask_definition(Turn& turn, SessionId session,
                                                     std::uint64_t request,
                                                     const wire::pb::DefinitionAsk& ask);
    void adopt(Turn& turn, const Grant& grant);
    void settle(Turn& turn, const Proposal& proposal, const Outcome& outcome);
    void publish(Turn& turn, const Proposal& proposal, const wire::pb::WatchChange& change);
    void refuse(Turn& turn, const Proposal& proposal, const Error& error);

    const Options options_;
    State& state_;
    Log& log_;
    Complaints complaints_{log_};  ///< Of members that ask again and again.
    Pending pending_;
    Sessions sessions_;
    Evidence evidence_;
    Grants grants_;
    Reports reports_;
    Waits waits_;
    Switchovers switchovers_;
    Queries queries_;
    NodeChanges node_changes_;
    Watches watches_;
};

}  // namespace understudy::registry
