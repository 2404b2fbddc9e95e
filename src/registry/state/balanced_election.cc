#include "registry/state/balanced_election.h"

#include <algorithm>

namespace understudy::registry {

namespace pb = wire::pb;

void BalancedElection::joined(Change& change, const Platform& platform, const pb::AddMember& add,
                              Member& member) {
    if (member.role == Role::active) return;
    Service& service = change.service;
    const pb::Register& wanted = add.wanted();
    // A member that this registry has forgotten, or never knew, keeps its epoch.
    const Epoch known{wanted.known_epoch()};
    const bool forgotten =
        (wanted.known_registry() != 0 && wanted.known_registry() != platform.registry_id) ||
        known > service.epoch || platform.restored;
    const bool goes_on = wanted.holds_role() && known.value != 0 && forgotten;
    service.epoch = std::max(service.epoch, known);
    if (!goes_on) service.epoch = service.epoch.next();
    member.role = Role::active;
    member.epoch = goes_on ? known : service.epoch;
    change.touch(member);
}

void BalancedElection::left(Change& change, JoinOrder order, const Why&,
                            const std::vector<std::string>&) {
    change.erase(order);
}

void BalancedElection::raised(Change& change, const pb::RaiseEpoch& raise) {
    if (raise.epoch() <= change.service.epoch.value) return;
    change.service.epoch = Epoch{raise.epoch()};
    change.changed = true;
}

}  // namespace understudy::registry
