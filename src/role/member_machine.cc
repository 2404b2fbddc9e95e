#include "role/member_machine.h"

#include <algorithm>

#include "base/plant.h"

namespace understudy::role {

namespace {

/// The holder's lease is shorter than the granter's by the drift that two clocks may have (2 %).
[[nodiscard]] Duration holder_lease(Duration lease) { return lease - lease / 50; }

}  // namespace

std::optional<MemberMachine::Change> MemberMachine::granted(Role role, Epoch epoch) {
    US_ASSERT(role == Role::active || role == Role::standby);
    if (epoch < epoch_heard_) return std::nullopt;  // Late.
    epoch_heard_ = epoch;
    draining_ = false;
    return become(role, epoch);
}

std::optional<MemberMachine::Change> MemberMachine::revoked(Epoch epoch) {
    epoch_heard_ = std::max(epoch_heard_, epoch);
    draining_ = false;
    if (role_ != Role::active) return std::nullopt;
    return become(Role::standby, epoch_heard_);
}

std::optional<MemberMachine::Change> MemberMachine::heard_epoch(Epoch epoch) {
    if (options_.redundancy == Redundancy::load_balanced) return std::nullopt;
    if (epoch <= epoch_heard_) return std::nullopt;
    epoch_heard_ = epoch;
    if (role_ != Role::active) return std::nullopt;
    return become(Role::standby, epoch);
}

void MemberMachine::renewed(TimePoint sent) { renewed_last_ = std::max(renewed_last_, sent); }

std::optional<MemberMachine::Change> MemberMachine::check_lease(TimePoint now) {
    const auto end = steps_down_at();
    if (!end || now < *end) return std::nullopt;
    return become(Role::standby, epoch_heard_);
}

std::optional<TimePoint> MemberMachine::steps_down_at() const {
    if (role_ != Role::active || !link_lost_) return std::nullopt;
    if (on_registry_loss() != OnRegistryLoss::step_down) return std::nullopt;
    return renewed_last_ + holder_lease(options_.lease);
}

bool MemberMachine::may_act(TimePoint now) const {
    if (role_ != Role::active) return false;
    if (planted(Plant::no_lease_check)) return true;
    if (now < renewed_last_ + holder_lease(options_.lease)) return true;
    return link_lost_ && on_registry_loss() == OnRegistryLoss::keep;
}

OnRegistryLoss MemberMachine::on_registry_loss() const {
    if (options_.on_registry_loss != OnRegistryLoss::by_registry) return options_.on_registry_loss;
    return registry_nodes_ > 1 ? OnRegistryLoss::step_down : OnRegistryLoss::keep;
}

std::optional<MemberMachine::Change> MemberMachine::become(Role role, Epoch epoch) {
    const bool told = role == role_ && (role != Role::active || epoch == epoch_);
    role_ = role;
    epoch_ = epoch;
    if (told) return std::nullopt;
    return Change{role, epoch};
}

}  // namespace understudy::role
