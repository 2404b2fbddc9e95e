// The tenure of a registry: what it does when a proposal is decided.

#include "registry/tenure/tenure.h"
#include "registry/time.h"

namespace understudy::registry {

namespace pb = wire::pb;
using role::Cause;
using Kind = Proposal::Kind;

Effects Tenure::committed(TimePoint now, std::uint64_t wall_ms, std::uint64_t token,
                          const Result<Applied>& result) {
    Turn turn = begin(now, wall_ms);
    const Proposal proposal = pending_.take(token);
    if (proposal.kind == Kind::remove) evidence_.settled(proposal);
    if (!result) {
        // A member that registers when the tenure ends is not refused: it asks the next tenure.
        const bool over = result.error().code == Errc::not_active;
        if (!over || proposal.kind != Kind::add) refuse(turn, proposal, result.error());
        return end(turn);
    }
    const Outcome outcome = state_.take_outcome(*result);
    if (outcome.error) {
        refuse(turn, proposal, *outcome.error);
    } else {
        settle(turn, proposal, outcome);
    }
    return end(turn);
}

void Tenure::settle(Turn& turn, const Proposal& proposal, const Outcome& outcome) {
    const std::string& family = proposal.family;
    for (const Member& gone : outcome.removed) {
        reports_.forget(family, gone.name);
        grants_.revoke(turn, family, gone);
        if (!evidence_.removed(turn, family, gone)) sessions_.forget(gone.incarnation);
    }
    for (const Grant& grant : outcome.grants) {
        const bool joined = proposal.kind == Kind::add && grant.member.name == proposal.member &&
                            grant.member.incarnation == proposal.agent;
        if (!joined) {
            grants_.tell(turn, grant);
            continue;
        }
        adopt(turn, grant);
        // The agent was forgotten if another member of it was refused meanwhile.
        const Incarnation agent = proposal.agent;
        const bool open = sessions_.find(proposal.session) != nullptr;
        if (open && !sessions_.connected(agent)) sessions_.bind(proposal.session);
        grants_.confirm(turn, proposal, grant);
    }
    if (outcome.change) publish(turn, proposal, *outcome.change);
    waits_.arm(turn.now, family);
    waits_.say(family);
    if (proposal.is_asked()) turn.succeed(proposal.session, proposal.request);
    if (proposal.kind == Kind::report) reports_.settled(turn, proposal);
    switchovers_.settled(turn, proposal);
}

void Tenure::adopt(Turn& turn, const Grant& grant) {
    evidence_.adopt(turn, grant.family, grant.member);
    sessions_.expect(grant.member.incarnation);
}

void Tenure::publish(Turn& turn, const Proposal& proposal, const pb::WatchChange& change) {
    const Service* service = state_.find(change.family());
    if (service != nullptr && !service->story.empty() &&
        service->story.back().revision() == change.revision()) {
        const pb::Promotion& row = service->story.back();
        const Duration took = turn.now - proposal.since;
        queries_.promoted(row, took);
        log_.info(
            "registry.promoted",
            {kv("service", row.family()), kv("member", row.member()), kv("epoch", row.epoch()),
             kv("cause", role::name(static_cast<Cause>(row.cause()))),
             kv("evidence", row.evidence()), kv("decided_us", to_us(took))});
    }
    watches_.publish(turn, change);
}

void Tenure::refuse(Turn& turn, const Proposal& proposal, const Error& error) {
    switch (proposal.kind) {
        case Kind::add:
            complaints_.heard(turn.now, "registry.member_refused",
                              kv("member", proposal.family + "/" + proposal.member), error);
            if (!evidence_.knows(proposal.agent)) sessions_.forget(proposal.agent);
            return Grants::refuse(turn, proposal, error);
        case Kind::define:
            return turn.fail(proposal.session, proposal.request, error);
        case Kind::switchover:
        case Kind::call_off:
            return switchovers_.refused(turn, proposal, error);
        case Kind::report:
            reports_.refused(proposal, turn.now);
            break;
        case Kind::last_resort:
        case Kind::stop_waiting:
            waits_.refused(proposal, turn.now);
            break;
        case Kind::remove:
            if (proposal.is_asked()) turn.fail(proposal.session, proposal.request, error);
            if (!evidence_.refused(proposal, turn.now)) return;
            break;
        case Kind::found:
        case Kind::raise:
            break;
    }
    log_.warn("registry.change_refused", {kv("service", proposal.family), kv("error", error)});
}

}  // namespace understudy::registry
