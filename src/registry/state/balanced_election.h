#pragma once

#include "registry/state/registry_election.h"

namespace understudy::registry {

/// All members are active, each in an epoch of its own. There are no promotions and no waits.
class BalancedElection final : public RegistryElection {
public:
    void created(Service&, const Platform&) override {}
    void joined(Change& change, const Platform& platform, const wire::pb::AddMember& add,
                Member& member) override;
    void left(Change& change, JoinOrder order, const Why& why,
              const std::vector<std::string>& suspects) override;
    void raised(Change& change, const wire::pb::RaiseEpoch& raise) override;
    void forgotten(Service&) override {}
    [[nodiscard]] Waiting waiting(const Service&) const override { return {}; }
    void check_invariants(const Service&) const override {}
};

}  // namespace understudy::registry
