#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/log.h"
#include "registry/agents/sessions.h"
#include "registry/state/state.h"
#include "registry/tenure/turn.h"
#include "role/cause.h"
#include "role/lease_book.h"

namespace understudy::registry {

/// The evidence about the processes of members: leases, proof of death, silence.
///
/// A suspicion is only a hint. A role is taken for proof of death, a lapsed lease, a new
/// incarnation or on request. Each process with a member has a lease, and is watched if its death
/// can be proven. Evidence leads to a proposal to remove its members, one proposal at a time for
/// each member. A refused proposal is repeated after a while.
class Evidence {
public:
    /// Requires: `state`, `sessions` and `log` outlive this. `stall_max`: as for role::LeaseBook.
    Evidence(const State& state, const Sessions& sessions, Log& log, TimePoint now,
             Duration stall_max);

    /// To be called first in every event.
    void turn(TimePoint now) { leases_.turn(now); }
    /// The process has sent a message.
    void heard(Incarnation agent, TimePoint now) { leases_.heard(agent, now); }
    /// The member is in line: its process has a full lease from now.
    void adopt(Turn& turn, const std::string& family, const Member& member);
    /// The member is not in line any more. False: nothing else is known of its process.
    bool removed(Turn& turn, const std::string& family, const Member& member);
    /// The process is proven dead. False: no member of it is known.
    bool process_gone(Turn& turn, Incarnation agent);
    /// Its death cannot be noticed at once.
    void unprovable(Incarnation agent);
    /// A proposed removal is decided.
    void settled(const Proposal& removal);
    /// It was refused. False: it was refused before.
    bool refused(const Proposal& removal, TimePoint now);
    /// Proposes to remove the members of processes whose lease has lapsed.
    void tick(Turn& turn);

    /// May another process take the name of this member? The old one must be gone, or neither
    /// connected nor provably alive. Returns the evidence. Errors: already_exists (none).
    [[nodiscard]] Result<std::string> replaceable(const Member& member) const;
    [[nodiscard]] wire::pb::RegistryCommand removal(TimePoint now, const std::string& family,
                                                    const Member& member, role::Cause cause,
                                                    const std::string& evidence) const;
    /// Only what leads to a promotion may use the room that a full disk keeps for promotions.
    [[nodiscard]] static Urgency urgency(const Service& service, const Member& member);
    [[nodiscard]] bool knows(Incarnation agent) const { return processes_.contains(agent); }
    [[nodiscard]] std::size_t members_of(Incarnation agent) const;
    [[nodiscard]] std::optional<TimePoint> next_lapse() const { return leases_.next_lapse(); }

private:
    using Key = std::pair<std::string, std::string>;  ///< (family, member)
    /// A process that has members here.
    struct Process {
        std::string agent;
        wire::pb::Process process;
        bool watched = true;  ///< Its death would be noticed at once.
        bool gone = false;    ///< It is proven dead.
        std::set<Key> members;
    };

    void remove_all_of(Turn& turn, Incarnation agent, role::Cause cause,
                       const std::string& evidence);
    void remove_dead(Turn& turn, Incarnation agent);

    const State& state_;
    const Sessions& sessions_;
    Log& log_;
    role::LeaseBook leases_;
    std::map<Incarnation, Process> processes_;
    std::set<Key> removing_;            ///< Proposed, not decided yet.
    std::map<Key, TimePoint> refused_;  ///< Until when the removal is not proposed again.
};

}  // namespace understudy::registry
