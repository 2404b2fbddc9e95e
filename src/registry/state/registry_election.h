#pragma once

#include <string>
#include <vector>

#include "registry/state/election.h"

namespace understudy::registry {

/// The registry elects: the earliest member in line that is not suspected is active, the others
/// stand by.
///
/// Epochs only grow, also above what members and clients report. A member that says it holds a
/// higher epoch is believed, and no other is promoted while the holder may return.
class RegistryElection : public Election {
public:
    void created(Service& service, const Platform& platform) override;
    void joined(Change& change, const Platform& platform, const wire::pb::AddMember& add,
                Member& member) override;
    void left(Change& change, JoinOrder order, const Why& why,
              const std::vector<std::string>& suspects) override;
    void replaced(Change& change, JoinOrder order, const Why& why) override;
    [[nodiscard]] Result<void> switched(Change& change,
                                        const wire::pb::Switchover& wanted) override;
    void raised(Change& change, const wire::pb::RaiseEpoch& raise) override;
    void stop_waiting(Change& change, const wire::pb::StopWaiting& stop) override;
    void forgotten(Service& service) override;
    [[nodiscard]] Waiting waiting(const Service& service) const override;
    void check_invariants(const Service& service) const override;

private:
    static void learn_epoch(Change& change, const Platform& platform,
                            const wire::pb::AddMember& add, Member& member);
    static void await(Change& change, const wire::pb::Register& wanted);
    static void adopt(Change& change, Member& member, Epoch epoch);
    static void doubt(Change& change, const std::string& holder);
    static void lose(Change& change, const Why& why);
    static void promote_next(Change& change, const std::vector<std::string>& suspects,
                             const Why& why);
    static void promote(Change& change, Member& member, Why why);
};

}  // namespace understudy::registry
