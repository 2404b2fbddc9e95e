#include "registry/agents/grants.h"

#include "base/plant.h"

namespace understudy::registry {

namespace pb = wire::pb;
using wire::MessageType;

void Grants::tell(Turn& turn, const Grant& grant) {
    const Member& member = grant.member;
    const auto session = sessions_.of(member.incarnation);
    if (!session) return;
    note(grant);
    pb::RoleGrant message;
    message.set_family(grant.family);
    message.set_member(member.name);
    message.set_role(static_cast<std::uint32_t>(member.role));
    message.set_epoch(member.epoch.value);
    message.set_order(member.order.value);
    if (member.designation) {
        const Role role = member.designation->role;
        if (planted(Plant::two_designated) && role == Role::standby) return;
        message.set_role(static_cast<std::uint32_t>(role));
        *message.mutable_designation() = to_designation(*member.designation);
    }
    turn.send(*session, MessageType::role_grant, message);
}

void Grants::confirm(Turn& turn, const Proposal& joining, const Grant& grant) {
    note(grant);
    const Member& member = grant.member;
    const Service& service = *state_.find(joining.family);
    pb::Registered answer;
    answer.set_request(joining.request);
    *answer.mutable_config() = service.config;
    answer.set_member(joining.member);
    answer.set_order(member.order.value);
    answer.set_role(static_cast<std::uint32_t>(member.role));
    const bool own_epoch = member.role == Role::active && !member.designation;
    answer.set_epoch((own_epoch ? member.epoch : service.epoch).value);
    if (member.designation) {
        answer.set_role(static_cast<std::uint32_t>(member.designation->role));
        *answer.mutable_designation() = to_designation(*member.designation);
    }
    turn.send(joining.session, MessageType::registered, answer);
}

void Grants::refuse(Turn& turn, const Proposal& joining, const Error& error) {
    pb::Registered answer;
    answer.set_request(joining.request);
    answer.mutable_config()->set_family(joining.family);
    answer.set_member(joining.member);
    *answer.mutable_failure() = wire::to_failure(error);
    turn.send(joining.session, MessageType::registered, answer);
}

void Grants::revoke(Turn& turn, const std::string& family, const Member& member) const {
    const auto session = sessions_.of(member.incarnation);
    if (!session) return;
    const Service* service = state_.find(family);
    pb::Revoked revoked;
    revoked.set_family(family);
    revoked.set_member(member.name);
    revoked.set_epoch(service == nullptr ? 0 : service->epoch.value);
    revoked.set_reason("removed from the line");
    turn.send(*session, MessageType::revoked, revoked);
}

void Grants::note(const Grant& grant) {
    if (grant.member.role == Role::active) confirmed_[grant.family] = grant.member.name;
}

std::string Grants::unconfirmed(const std::string& family) const {
    if (planted(Plant::backup_believed)) return {};
    const Service* service = state_.find(family);
    if (service == nullptr || !service->election().believes_hearsay()) return {};
    const Member* const active = service->active_member();
    if (active == nullptr) return {};
    const auto known = confirmed_.find(family);
    return known != confirmed_.end() && known->second == active->name ? "" : active->name;
}

}  // namespace understudy::registry
