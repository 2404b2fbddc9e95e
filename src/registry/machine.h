#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/complaints.h"
#include "base/log.h"
#include "base/types.h"
#include "registry/nodes.h"
#include "registry/state.h"
#include "registry/watches.h"
#include "replica/tenure.h"
#include "role/lease_book.h"
#include "wire/message_type.h"

namespace understudy::registry {

// Effects: what the shell must do, in this order.

using replica::Close;
using replica::Confirm;
using replica::Propose;
using replica::Send;
/// Tell us by process_gone() when this process is proven dead, if that can be proven here.
struct WatchProcess {
    Incarnation agent;
    wire::pb::Process process;
};
struct ForgetProcess {
    Incarnation agent;
};
/// Change the nodes of the registry; report back by nodes_changed() with the same token.
struct ChangeNodes {
    std::uint64_t token;
    wire::pb::NodesAsk change;
};
using Effect =
    std::variant<Send, Close, Propose, WatchProcess, ForgetProcess, Confirm, ChangeNodes>;
using Effects = std::vector<Effect>;

/// The part of a registry that is not replicated: connections, leases, evidence, watchers.
///
/// Turns what happens into commands for the State, and what the State decided into messages.
/// A suspicion is a hint; only proof of death, a lapsed lease, a new incarnation or a request
/// takes a role. After a restart each known member has one full lease to come back.
///
/// Of several nodes only the active one has a Machine, a new one for each tenure: what a tenure
/// knew of connections, leases and evidence ends with it. What it had proposed may come true under
/// its successor; each command is one that then changes nothing twice.
///
/// Sans-IO: events and the time in, effects out. Thread: loop only.
/// Bounds: `sessions_max`; per session the bounds of Watches; commands in flight
///         `proposals_max`, lookups in flight `lookups_max`; one more is refused with
///         limit_exceeded (none); one report of each member, `detail_max` bytes of its detail.
/// Source: docs/protocols/roles.md.
class Machine {
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
        Duration turn_max = 50ms;   ///< The shell calls tick() at least this often.
        Duration drain_limit = 2s;  ///< How long an active may take to drain.
        /// Of a journaled service: how long its successor may take to catch up beforehand, and to
        /// become active afterwards.
        Duration catch_up_limit = 2s;
        Duration take_limit = 2s;
        /// How long a checkpointer waits for others before it may be active as a last resort.
        Duration last_resort_wait = 5s;
    };

    static constexpr std::size_t sessions_max = 20'000;
    static constexpr std::size_t proposals_max = 50'000;
    static constexpr std::size_t lookups_max = 50'000;
    static constexpr std::size_t detail_max = 256;

    /// Requires: `state` is recovered and outlives this; call start() next.
    Machine(const Options& options, State& state, Log& log, TimePoint now);

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
    void unprovable(Incarnation agent);
    [[nodiscard]] Effects committed(TimePoint now, std::uint64_t wall_ms, std::uint64_t token,
                                    const Result<Applied>& result);
    /// This node was still active when Confirm was said, or was not.
    [[nodiscard]] Effects confirmed(TimePoint now, std::uint64_t token, const Result<void>& result);
    [[nodiscard]] Effects nodes_changed(TimePoint now, std::uint64_t token,
                                        const Result<void>& result);
    [[nodiscard]] Effects tick(TimePoint now, std::uint64_t wall_ms);
    /// The tenure has ended: who asked is told what is known of it, all sessions are closed. The
    /// last call.
    [[nodiscard]] Effects retire(TimePoint now);
    /// When tick() is wanted; never later than turn_max from `now`.
    [[nodiscard]] TimePoint next_deadline(TimePoint now) const;

    /// Filled in by the shell before it answers a question about the platform.
    void set_space(std::string space) { space_ = std::move(space); }
    void set_journal(wire::pb::JournalInfo journal) { journal_ = std::move(journal); }
    /// The nodes of this registry, all of them; none if it runs alone. Agents are told the news.
    [[nodiscard]] Effects set_nodes(std::vector<Node> nodes);

    [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }
    [[nodiscard]] bool serving() const { return state_.founded(); }
    void check_invariants() const;

private:
    struct Session {
        std::string agent;
        Incarnation incarnation;
        wire::pb::Process process;
    };
    /// An agent that has, or is about to have, members here.
    struct Agent {
        std::string name;
        wire::pb::Process process;
        SessionId session;     ///< 0: not connected.
        bool asked = false;    ///< WatchProcess has been said.
        bool watched = false;  ///< Its death would be noticed at once.
        bool gone = false;     ///< Its process is proven dead.
        std::set<std::pair<std::string, std::string>> members;  ///< (family, member)
    };
    /// A command on its way through the journal.
    struct Pending {
        enum class Kind : std::uint8_t {
            found,
            add,
            remove,
            hand_over,
            raise,
            stop_waiting,
            report,
            define,
            last_resort,
            call_off
        };
        Kind kind;
        SessionId session;
        std::uint64_t request = 0;
        Incarnation agent;
        std::string family;
        std::string member;
        TimePoint since;
    };
    struct Handing {
        SessionId session;
        std::uint64_t request;
        std::string from;
        std::string to;
        Epoch epoch;
        TimePoint deadline;
        bool proposed = false;
        /// Of a journaled service. Only in draining does the active member keep clients waiting.
        enum class Stage : std::uint8_t { catching_up, draining, taking };
        Stage stage = Stage::draining;
        bool ready = false;  ///< The successor knows of it.
    };
    using Key = std::pair<std::string, std::string>;  ///< (family, member)
    /// What a member of a journaled service said last. Its positions are nowhere else.
    struct Reported {
        wire::pb::MemberReport said;
        TimePoint heard;
        bool proposed = false;  ///< A part of it is on its way through the journal.
        TimePoint retry = {};   ///< Found no room: not again before.
    };
    /// A question that waits for something other than the journal.
    struct Question {
        SessionId session;
        std::uint64_t request = 0;
        std::string family;        ///< Of a lookup.
        bool ends_tenure = false;  ///< Asks for just that: whoever is active next will do.
    };
    struct Turn;  ///< registry/machine_turn.h: one event's time and effects.

    void on(Turn& turn, SessionId session, const wire::pb::Register& wanted);
    void on(Turn& turn, SessionId session, const wire::pb::Unregister& wanted);
    void on(Turn& turn, SessionId session, const wire::pb::Watch& watch);
    void on(Turn& turn, SessionId session, const wire::pb::Drained& drained);
    void on(Turn& turn, SessionId session, const wire::pb::Ask& ask);
    void on(Turn& turn, SessionId session, wire::pb::MemberReport report);
    void consider_report(Turn& turn, const Key& key);
    void settle_report(Turn& turn, const Pending& pending, TimePoint retry);
    void ask_definition(Turn& turn, SessionId session, std::uint64_t request,
                        const wire::pb::DefinitionAsk& ask);
    void arm_last_resort(TimePoint now, const std::string& family);
    void tick_journaled(Turn& turn);
    void switch_journaled(Turn& turn, SessionId session, std::uint64_t request,
                          const wire::pb::SwitchoverAsk& ask);
    void drained_journaled(Turn& turn, SessionId session, const wire::pb::Drained& drained);
    void advance_journaled(Turn& turn, const std::string& family);
    void settle_journaled(Turn& turn, const Pending& pending);
    void overdue_journaled(Turn& turn, const std::string& family);
    void call_off(Turn& turn, const std::string& family);
    void send_drain(Turn& turn, const std::string& family, const std::string& member,
                    Duration limit);
    [[nodiscard]] Result<const Member*> successor(const Service& service,
                                                  const std::string& wanted) const;
    [[nodiscard]] std::string lag_of(const std::string& family, const Handing& handing) const;
    void add_positions(TimePoint now, wire::pb::LookupAnswer& lookup) const;
    void ask_switchover(Turn& turn, SessionId session, std::uint64_t request,
                        const wire::pb::SwitchoverAsk& ask);
    void ask_lookup(Turn& turn, SessionId session, std::uint64_t request,
                    const wire::pb::LookupAsk& ask);
    void ask_nodes(Turn& turn, SessionId session, std::uint64_t request,
                   const wire::pb::NodesAsk& ask);
    void look_up(TimePoint now, const std::string& family, wire::pb::Answer& answer) const;
    static void fail(Turn& turn, SessionId session, std::uint64_t request, const Error& error);

    [[nodiscard]] Result<void> may_replace(const Member& old, std::string& evidence) const;
    void propose(Turn& turn, Pending pending, wire::pb::RegistryCommand command, bool urgent);
    [[nodiscard]] static bool promotes(const Service& service, const Member& member);
    [[nodiscard]] wire::pb::RegistryCommand removal(const Turn& turn, const std::string& family,
                                                    const Member& member, role::Cause cause,
                                                    const std::string& evidence) const;
    void propose_removal(Turn& turn, const std::string& family, const Member& member,
                         role::Cause cause, const std::string& evidence);
    void remove_all_of(Turn& turn, Incarnation agent, role::Cause cause,
                       const std::string& evidence);
    void settle(Turn& turn, const Pending& pending, Outcome outcome);
    void refuse(Turn& turn, const Pending& pending, const Error& error);
    void confirm(Turn& turn, const Pending& pending, const Grant& grant);
    void tell(Turn& turn, const Grant& grant);
    void publish(Turn& turn, const wire::pb::WatchChange& change);
    void adopt(Turn& turn, const Grant& grant, const wire::pb::Process& process);
    void note_removed(Turn& turn, const std::string& family, const Member& member);
    void end_handing(Turn& turn, const std::string& family, const std::optional<Error>& error);
    void arm_waiting(TimePoint now, const std::string& family);
    void stop_waiting(Turn& turn, const std::string& family, Epoch epoch);
    void confirmed_active(const Grant& grant);
    [[nodiscard]] std::string unconfirmed(const std::string& family) const;
    void say_waiting(const std::string& family);
    [[nodiscard]] Agent& agent_of(const Session& session, SessionId id);
    [[nodiscard]] bool connected(Incarnation agent) const;
    [[nodiscard]] Duration lease_of(const std::string& family) const;

    const Options options_;
    State& state_;
    Log& log_;
    Complaints complaints_{log_};  ///< Of members that ask again and again.
    role::LeaseBook leases_;
    Watches watches_;
    std::map<SessionId, Session> sessions_;
    std::map<Incarnation, Agent> agents_;
    std::map<std::uint64_t, Pending> pending_;
    std::set<std::pair<std::string, std::string>> removing_;
    /// Members whose removal found no room, and when to try again.
    std::map<std::pair<std::string, std::string>, TimePoint> refused_removals_;
    std::map<std::string, Handing> handings_;
    std::map<std::string, TimePoint> waiting_;  ///< Family to when the awaited holder is given up.
    TimePoint restored_until_ = TimePoint::max();
    /// Family to the active member that knows it: by its own word, or by ours of this tenure.
    std::map<std::string, std::string> confirmed_;
    std::map<std::string, std::string> said_waiting_;  ///< Family to what was logged last.
    std::map<Key, Reported> reported_;
    std::map<std::string, TimePoint> resorts_;  ///< Family to when a last resort is taken.
    std::map<std::string, std::uint64_t> turns_;
    std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> decided_us_;
    std::map<std::uint64_t, Question> lookups_;
    std::map<std::uint64_t, Question> changing_nodes_;
    std::uint64_t token_last_ = 0;
    TimePoint started_;
    std::string space_ = "ok";
    wire::pb::JournalInfo journal_;
    std::vector<Node> nodes_;
};

}  // namespace understudy::registry
