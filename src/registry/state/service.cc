#include "registry/state/service.h"

#include <utility>

#include "registry/state/change.h"
#include "registry/state/election.h"
#include "wire/control.h"

namespace understudy::registry {

namespace pb = wire::pb;

Service::Service(pb::ServiceConfig its_config)
    : config(std::move(its_config)), election_(Election::of(redundancy())) {
    Change nobody_hears{.service = *this};
    election_->configured(nobody_hears);
}

Service::~Service() = default;
Service::Service(Service&&) noexcept = default;
Service& Service::operator=(Service&&) noexcept = default;

void Service::configure(const pb::ServiceConfig& wanted) {
    US_ASSERT(line.empty());
    const Redundancy before = redundancy();
    config = wanted;
    if (redundancy() != before) {
        lost.reset();
        unsettled = false;
        election_ = Election::of(redundancy());
        election_->begins(*this);
    }
    Change nobody_hears{.service = *this};
    election_->configured(nobody_hears);
}

Redundancy Service::redundancy() const { return static_cast<Redundancy>(config.redundancy()); }

const Member* Service::find(const std::string& member) const {
    for (const auto& [order, row] : line) {
        if (row.name == member) return &row;
    }
    return nullptr;
}

const Member* Service::active_member() const {
    const auto found = line.find(active);
    return found == line.end() ? nullptr : &found->second;
}

std::string Service::names() const {
    std::string names;
    for (const auto& [order, member] : line) names += (names.empty() ? "" : ", ") + member.name;
    return names;
}

void Service::check_one_active() const {
    US_ASSERT(active.value == 0 || !lost);
    std::size_t actives = 0;
    for (const auto& [order, member] : line) {
        US_ASSERT(member.order == order);
        US_ASSERT(order < next_order);
        US_ASSERT(member.epoch <= epoch);
        if (member.role != Role::active) continue;
        ++actives;
        US_ASSERT(active == order);
        US_ASSERT(member.epoch == epoch);
    }
    US_ASSERT(actives == (active.value == 0 ? 0U : 1U));
    US_ASSERT(!waits() || actives == 0);
}

pb::MemberInfo to_info(const Member& member) {
    pb::MemberInfo info;
    info.set_member(member.name);
    info.set_agent(member.agent);
    info.set_incarnation(member.incarnation.value);
    *info.mutable_endpoint() = wire::to_endpoint(member.endpoint);
    info.set_order(member.order.value);
    info.set_role(static_cast<std::uint32_t>(member.role));
    info.set_epoch(member.epoch.value);
    *info.mutable_process() = member.process;
    info.set_joined_wall_ms(member.joined_wall_ms);
    if (member.node.port != 0) *info.mutable_node() = wire::to_endpoint(member.node);
    if (!member.designation) return info;
    *info.mutable_designation() = to_designation(*member.designation);
    // Its journal knows of no checkpointers: what it says is that it is not active.
    if (member.role == Role::standby && member.designation->role == Role::checkpointer) {
        info.set_role(static_cast<std::uint32_t>(Role::checkpointer));
    }
    return info;
}

pb::Designation to_designation(const role::Designation& what) {
    pb::Designation designation;
    designation.set_role(static_cast<std::uint32_t>(what.role));
    designation.set_electable(what.electable);
    designation.set_takes_checkpoints(what.takes_checkpoints);
    return designation;
}

pb::ServiceInfo to_info(const Service& service) {
    pb::ServiceInfo info;
    *info.mutable_config() = service.config;
    info.set_epoch(service.epoch.value);
    if (const Member* active = service.active_member()) info.set_active(active->name);
    for (const auto& [order, member] : service.line) *info.add_members() = to_info(member);
    if (service.definition) *info.mutable_definition() = *service.definition;
    info.set_revision(service.revision);
    info.set_promotions(service.promotions);
    info.set_awaited(service.awaited);
    return info;
}

}  // namespace understudy::registry
