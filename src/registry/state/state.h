#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/types.h"
#include "registry/state/change.h"
#include "registry/state/election.h"
#include "registry/state/outcome.h"
#include "registry/state/service.h"
#include "replica/state_machine.h"
#include "wire/control.pb.h"
#include "wire/registry_log.pb.h"

namespace understudy::registry {

/// The registry's replicated state: services, members in joining order, roles, epochs, audit.
///
/// Election is part of the state machine: a command carries evidence, and applying it decides. Each
/// service has an Election, which says how it gets its active member. Epochs only grow, also above
/// what members report, so that a registry that is empty or restored from a backup never grants an
/// epoch twice. The roles in a backup are not believed: a member that holds one says so itself, and
/// no member is promoted for a lease.
///
/// Deterministic: no clock, no random, no I/O. Thread: loop only.
/// Bounds: `story_max` promotions per service, `services_max`, `members_max` per service.
class State final : public replica::SmallStateMachine {
public:
    static constexpr std::size_t story_max = 64;
    static constexpr std::size_t services_max = 100'000;
    static constexpr std::size_t members_max = 10'000;

    /// The reply is the command's place in its entry: with the index it names the outcome.
    void apply(const replica::Command& command, Buffer& reply) override;
    void snapshot(Buffer& out) const override;
    Result<void> restore(Bytes snapshot) override;

    /// From now on outcomes are kept for their proposer. Those of a replay are not needed.
    void go_live() { live_ = true; }
    /// This node proposes nothing any more: other nodes propose the commands that follow.
    void go_quiet() {
        live_ = false;
        outcomes_.clear();
    }
    /// What apply() did, once per command. Requires: live, applied and not taken yet.
    [[nodiscard]] Outcome take_outcome(Applied command);

    [[nodiscard]] bool founded() const { return here_.registry_id != 0; }
    /// Members of services that its backup does not know may still come; StopWaiting without a
    /// family ends it.
    [[nodiscard]] bool restored() const { return here_.restored; }
    [[nodiscard]] const std::string& platform() const { return platform_; }
    [[nodiscard]] std::uint64_t registry_id() const { return here_.registry_id; }
    [[nodiscard]] Revision revision() const { return revision_; }
    [[nodiscard]] const std::map<std::string, Service>& services() const { return services_; }
    /// Null: there is none.
    [[nodiscard]] const Service* find(const std::string& family) const;
    [[nodiscard]] const Member* find(const std::string& family, const std::string& member) const;

    /// Aborts if the state contradicts itself.
    void check_invariants() const;

private:
    [[nodiscard]] Outcome apply(const wire::pb::RegistryCommand& command);
    Outcome on(const wire::pb::FoundPlatform& found);
    Outcome on(const wire::pb::RegistryState& backup);
    Outcome on(const wire::pb::AddMember& add, std::uint64_t wall_ms);
    Outcome on(const wire::pb::RemoveMember& remove, std::uint64_t wall_ms);
    Outcome on(const wire::pb::Switchover& wanted, std::uint64_t wall_ms);
    Outcome on(const wire::pb::RaiseEpoch& raise, std::uint64_t wall_ms);
    Outcome on(const wire::pb::StopWaiting& stop, std::uint64_t wall_ms);
    Outcome on(const wire::pb::MemberReported& reported, std::uint64_t wall_ms);
    Outcome on(const wire::pb::DefinitionAsk& wanted);
    Outcome on(const wire::pb::LastResort& resort);
    Outcome define(const wire::pb::DefineAsk& wanted);
    Outcome change_replicas(const wire::pb::DefinitionAsk& wanted);
    Outcome undefine(const wire::pb::UndefineAsk& wanted);

    [[nodiscard]] Result<Service*> service_to_join(const wire::pb::Register& wanted);
    [[nodiscard]] Result<void> replace(Change& change, const wire::pb::AddMember& add);
    [[nodiscard]] Member& take_in(Change& change, const wire::pb::AddMember& add);
    [[nodiscard]] Member& come_back(Change& change, JoinOrder order,
                                    const wire::pb::Register& wanted) const;
    [[nodiscard]] JoinOrder place_for(const Service& service,
                                      const wire::pb::Register& wanted) const;
    [[nodiscard]] Service* service_of(const std::string& family);
    Outcome finish(Change& change);
    void load(const wire::pb::RegistryState& state);

    std::string platform_;
    Platform here_;
    Revision revision_;
    std::map<std::string, Service> services_;
    std::map<Applied, Outcome> outcomes_;  ///< Their proposers have not asked for them yet.
    bool live_ = false;
};

}  // namespace understudy::registry
