#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "replica/state_machine.h"
#include "role/cause.h"
#include "wire/control.pb.h"
#include "wire/registry_log.pb.h"

namespace understudy::registry {

/// One member of one service, in the registry's memory.
struct Member {
    std::string name;
    std::string agent;
    Incarnation incarnation;
    Address endpoint;
    JoinOrder order;
    Role role = Role::standby;
    Epoch epoch;  ///< Of its role. Load-balanced members have one each.
    wire::pb::Process process;
    std::uint64_t joined_wall_ms = 0;
};

/// One service: who is in line, who is active, under which epoch.
struct Service {
    wire::pb::ServiceConfig config = {};
    Epoch epoch = {};  ///< Highest ever granted or reported. Outlives all members.
    std::map<JoinOrder, Member> line = {};
    JoinOrder next_order{1};
    JoinOrder active = {};     ///< 0: nobody.
    std::string awaited = {};  ///< Reported holder that has not come back yet. Nobody is promoted.
    std::uint64_t revision = 0;
    std::uint64_t promotions = 0;
    std::deque<wire::pb::Promotion> story = {};  ///< Oldest first.

    [[nodiscard]] Redundancy redundancy() const;
    [[nodiscard]] const Member* find(const std::string& member) const;
    [[nodiscard]] const Member* active_member() const;
};

/// A member that has to be told its role.
struct Grant {
    std::string family;
    Member member;
};

/// What one command did.
struct Outcome {
    std::optional<Error> error;  ///< Refused; nothing changed.
    std::optional<wire::pb::WatchChange> change;
    std::vector<Grant> grants;
    std::vector<Member> removed;
};

/// A command that has been applied.
struct Applied {
    Index index;              ///< Of its entry.
    std::uint32_t place = 0;  ///< In that.
    friend auto operator<=>(const Applied&, const Applied&) = default;

    /// From what apply() replied. Errors: corrupt (none).
    [[nodiscard]] static Result<Applied> from(Index index, Bytes reply);
};

/// The registry's replicated state: services, members in joining order, roles, epochs, audit.
///
/// Election is part of the state machine: a command carries evidence, applying it decides. The
/// earliest member still in line and not suspected is active; a returning member gets a new place
/// at the back. Epochs only grow, also over what members report, so that a registry restored from
/// a backup, or empty, never grants an epoch twice.
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

    /// From now on outcomes are kept for their proposer; those of a replay interest nobody.
    void go_live() { live_ = true; }
    /// Nobody here proposes any more: what comes now was proposed elsewhere.
    void go_quiet() {
        live_ = false;
        outcomes_.clear();
    }
    /// What apply() did, once per command. Requires: live, applied and not taken yet.
    [[nodiscard]] Outcome take_outcome(Applied command);

    [[nodiscard]] bool founded() const { return registry_id_ != 0; }
    [[nodiscard]] const std::string& platform() const { return platform_; }
    [[nodiscard]] std::uint64_t registry_id() const { return registry_id_; }
    [[nodiscard]] Revision revision() const { return revision_; }
    [[nodiscard]] const std::map<std::string, Service>& services() const { return services_; }
    [[nodiscard]] const Service* find(const std::string& family) const;

    /// Aborts if the state contradicts itself.
    void check_invariants() const;

private:
    Outcome on(const wire::pb::FoundPlatform& found);
    Outcome on(const wire::pb::AddMember& add, std::uint64_t wall_ms);
    Outcome on(const wire::pb::RemoveMember& remove, std::uint64_t wall_ms);
    Outcome on(const wire::pb::HandOver& hand_over, std::uint64_t wall_ms);
    Outcome on(const wire::pb::RaiseEpoch& raise, std::uint64_t wall_ms);
    Outcome on(const wire::pb::StopWaiting& stop, std::uint64_t wall_ms);
    Outcome on(const wire::pb::RegistryState& backup);
    void load(const wire::pb::RegistryState& state);

    struct Why {
        role::Cause cause;
        std::string evidence;
        std::string previous;
        std::uint64_t noticed_us = 0;
        std::uint64_t wall_ms = 0;
    };
    struct Change;

    void learn_epoch(Service& service, const wire::pb::AddMember& add, Change& change,
                     std::uint64_t wall_ms);
    void await(Service& service, const wire::pb::Register& wanted, Change& change);
    void erase(Service& service, JoinOrder order, Change& change);
    void promote_next(Service& service, const std::vector<std::string>& suspects, Why why,
                      Change& change);
    void promote(Service& service, Member& member, Why why, Change& change);
    Outcome finish(Service& service, Change& change);

    std::string platform_;
    std::uint64_t registry_id_ = 0;
    Revision revision_;
    std::map<std::string, Service> services_;
    std::map<Applied, Outcome> outcomes_;  ///< Of those whose proposer has not asked yet.
    bool live_ = false;
};

[[nodiscard]] wire::pb::MemberInfo to_info(const Member& member);
[[nodiscard]] wire::pb::ServiceInfo to_info(const Service& service);

}  // namespace understudy::registry
