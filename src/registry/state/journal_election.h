#pragma once

#include <optional>
#include <string>
#include <vector>

#include "registry/state/election.h"

namespace understudy::registry {

/// The service's journal elects. The registry designates which members may be elected and which
/// takes checkpoints (role::StartOrder). It believes a member that reports itself active in an
/// epoch above the highest known, whichever was designated. Until then no member is active.
///
/// Bounds: `copies_max` members by name of a service that is not defined.
class JournalElection final : public Election {
public:
    static constexpr std::size_t copies_max = 64;

    void begins(Service& service) override;
    void configured(Change& change) override;
    [[nodiscard]] Result<void> admit(const Service& service,
                                     const wire::pb::Register& wanted) const override;
    void joined(Change& change, const Platform& platform, const wire::pb::AddMember& add,
                Member& member) override;
    void left(Change& change, JoinOrder order, const Why& why,
              const std::vector<std::string>& suspects) override;
    void replaced(Change& change, JoinOrder order, const Why& why) override;
    [[nodiscard]] Result<void> switched(Change& change,
                                        const wire::pb::Switchover& wanted) override;
    void forgotten(Service& service) override;
    void reported(Change& change, Member& member,
                  const wire::pb::MemberReported& reported) override;
    void waited(Change& change) override;
    void defined(Change& change, const std::vector<std::string>& copies) override;
    void copy_added(Change& change, const std::string& copy) override;
    void copy_removed(Change& change, const std::string& copy) override;

    [[nodiscard]] Role first_role() const override { return Role::joining; }
    [[nodiscard]] bool keeps_places() const override { return false; }
    [[nodiscard]] bool believes_hearsay() const override { return false; }
    [[nodiscard]] bool journal_decides() const override { return true; }
    [[nodiscard]] bool is_news(const Service& service, const Member& member,
                               const wire::pb::MemberReported& reported) const override;
    [[nodiscard]] Waiting waiting(const Service& service) const override;
    [[nodiscard]] const role::StartOrder* start_order() const override { return &start_order_; }
    [[nodiscard]] const wire::pb::Switchover* switchover() const override {
        return switchover_ ? &*switchover_ : nullptr;
    }
    void save(wire::pb::ServiceState& row) const override;
    void load(Service& service, const wire::pb::ServiceState& row) override;
    void check_invariants(const Service& service) const override;

private:
    [[nodiscard]] Result<void> admit_copy(const Service& service, const std::string& member) const;
    [[nodiscard]] bool may_hold(const Service& service, const Member& member, Epoch epoch) const;
    void make_active(Change& change, Member& member, Epoch epoch);
    [[nodiscard]] Why take_loss(const Service& service, const Member& member,
                                const std::optional<wire::pb::Switchover>& switchover) const;
    void end_switchover(Change& change, const std::string& gone);

    role::StartOrder start_order_{role::StartOrder::Options{}};
    std::string holder_;  ///< The member that has reported the service's epoch. Empty: none yet.
    /// `to` is designated. `from` is active until its journal says otherwise.
    std::optional<wire::pb::Switchover> switchover_;
};

}  // namespace understudy::registry
