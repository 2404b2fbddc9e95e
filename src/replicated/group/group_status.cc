#include <algorithm>

#include "consensus/configuration.h"
#include "replicated/group/group.h"

namespace understudy::replicated {

GroupStatus Group::status() const {
    const Joining& joining = membership_.joining();
    GroupStatus status;
    status.service = service();
    status.self = context_.self.name;
    status.kind = context_.self.kind;
    status.durable = driver_.writes().last();
    status.applied = delivery_.applied();
    status.first = context_.node_log.first(id());
    status.checkpoint = checkpoint();
    status.outside = joining.outside();
    if (!ended() && start_.founding()) {
        status.founders_here = start_.founders().here();
        status.founders_missing = start_.founders().missing();
    }
    if (!driver_.runs()) return status;
    const consensus::ConsensusCore& core = driver_.core();
    status.removed = joining.outside() && membership_.includes_self(core.configuration());
    status.role = standing().role;
    if (status.role == Role::standby && context_.self.kind == MemberKind::checkpointer) {
        status.role = Role::checkpointer;
    }
    if (consensus::find(core.configuration(), context_.self_id) == nullptr) {
        status.role = Role::joining;
    }
    status.term = core.term();
    if (driver_.leader().value != 0) status.leader = membership_.name_of(driver_.leader());
    status.last = core.last();
    status.commit = core.commit();
    for (const MemberRow& row : membership_.members().rows()) {
        const consensus::Server* server = consensus::find(core.configuration(), row.id);
        MemberStatus& member = status.members.emplace_back();
        member.member = row.member;
        member.id = row.id;
        member.joined = server != nullptr;
        member.votes = server != nullptr && server->membership == consensus::Membership::voter;
        member.connected = !context_.surroundings.name_of(row.id, id()).empty();
        member.leader = row.id == driver_.leader();
        if (driver_.leads()) {
            member.match = row.id == context_.self_id ? status.durable : core.match(row.id);
            member.lag = core.last().value - std::min(core.last(), member.match).value;
        }
    }
    return status;
}

}  // namespace understudy::replicated
