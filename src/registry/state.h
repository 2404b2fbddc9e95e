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
#include "role/start_order.h"
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
    bool unheard = false;  ///< Known from a backup, and has said nothing since: not promoted.
    // Of a journaled service. The role above is what the member itself has reported: a checkpointer
    // is a standby that is designated so.
    role::Designation designation = {};
    Address node = {};  ///< Of its journal. Port 0: nowhere.
};

/// One service: who is in line, who is active, under which epoch.
struct Service {
    wire::pb::ServiceConfig config = {};
    Epoch epoch = {};  ///< Highest ever granted or reported. Outlives all members.
    std::map<JoinOrder, Member> line = {};
    JoinOrder next_order{1};
    JoinOrder active = {};     ///< 0: nobody.
    std::string awaited = {};  ///< Reported holder that has not come back yet. Nobody is promoted.
    /// An epoch that was not granted here may have a holder: nobody is promoted before it had a
    /// lease to say so.
    bool unsettled = false;
    std::uint64_t revision = 0;
    std::uint64_t promotions = 0;
    std::deque<wire::pb::Promotion> story = {};  ///< Oldest first.
    /// If it was registered beforehand.
    std::optional<wire::pb::Definition> definition = {};
    /// Of a journaled service, always: who may be active there, and who takes checkpoints. Who *is*
    /// active its members report.
    std::optional<role::StartOrder> start_order = {};
    std::string holder = {};  ///< Who has reported `epoch`. Empty: nobody yet.
    std::optional<wire::pb::Loss> lost = {};  ///< Why nobody is active, if somebody was.
    /// A switchover is under way: `to` is designated, `from` active until its journal says
    /// otherwise.
    std::optional<wire::pb::HandOver> handing = {};

    [[nodiscard]] bool journaled() const { return redundancy() == Redundancy::journaled; }
    [[nodiscard]] Redundancy redundancy() const;
    /// Nobody is promoted now; StopWaiting ends it.
    [[nodiscard]] bool waits() const { return !awaited.empty() || unsettled; }
    [[nodiscard]] const Member* find(const std::string& member) const;
    [[nodiscard]] const Member* active_member() const;
    [[nodiscard]] wire::pb::MemberInfo to_info(const Member& member) const;
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
/// a backup, or empty, never grants an epoch twice. What a backup says of roles is not believed:
/// who holds one says so itself, or nobody is active for a lease.
///
/// On a journaled service the journal elects. The state designates who may be elected and who takes
/// checkpoints (role::StartOrder), and records who reports itself active, under which epoch: a
/// lower one than is known makes nobody active, and nobody is active until somebody says so.
///
/// Deterministic: no clock, no random, no I/O. Thread: loop only.
/// Bounds: `story_max` promotions per service, `services_max`, `members_max` per service,
///         `copies_max` of a journaled service.
class State final : public replica::SmallStateMachine {
public:
    static constexpr std::size_t story_max = 64;
    static constexpr std::size_t services_max = 100'000;
    static constexpr std::size_t members_max = 10'000;
    static constexpr std::size_t copies_max = 64;

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
    /// Members of services that its backup does not know may still come; StopWaiting without a
    /// family ends it.
    [[nodiscard]] bool restored() const { return restored_; }
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
    static void forget_roles(Service& service);
    Outcome on(const wire::pb::MemberReported& reported, std::uint64_t wall_ms);
    Outcome on(const wire::pb::DefinitionAsk& wanted);
    Outcome on(const wire::pb::LastResort& resort);
    Outcome define(const wire::pb::DefineAsk& wanted);
    Outcome change_replicas(const wire::pb::DefinitionAsk& wanted);
    Outcome undefine(const wire::pb::UndefineAsk& wanted);
    Outcome hand_over_journal(Service& service, const wire::pb::HandOver& wanted);
    void load(const wire::pb::RegistryState& state);

    struct Why {
        role::Cause cause;
        std::string evidence;
        std::string previous;
        std::uint64_t noticed_us = 0;
        std::uint64_t wall_ms = 0;
    };
    struct Change;  ///< registry/state_change.h

    void learn_epoch(Service& service, const wire::pb::AddMember& add, Change& change,
                     std::uint64_t wall_ms);
    static void await(Service& service, const wire::pb::Register& wanted, Change& change);
    static void adopt(Service& service, Member& member, Epoch epoch, std::uint64_t wall_ms,
                      Change& change);
    static void doubt(Service& service, const std::string& holder, Change& change);
    JoinOrder take_back(Service& service, JoinOrder order, const wire::pb::Register& wanted,
                        Change& change);
    void erase(Service& service, JoinOrder order, Change& change);
    void configure(Service& service, const wire::pb::ServiceConfig& wanted);
    [[nodiscard]] static Result<void> check_copy(const Service& service,
                                                 const wire::pb::Register& wanted);
    void join(Service& service, const wire::pb::AddMember& add, Member& member,
              std::uint64_t wall_ms, Change& change);
    void leave(Service& service, JoinOrder order, const Why& why, Change& change);
    void take_report(Service& service, Member& member, const wire::pb::MemberReported& reported,
                     std::uint64_t wall_ms, Change& change);
    void make_active(Service& service, Member& member, Epoch epoch, std::uint64_t wall_ms,
                     Change& change);
    static void handing_without(Service& service, const std::string& gone, Change& change);
    static void to_the_back(Service& service, const std::string& member, Change& change);
    static void designate(Service& service, const role::StartOrder::Changes& changes,
                          Change& change);
    static void restore_start_order(Service& service, const wire::pb::ServiceState& row);
    void promote_next(Service& service, const std::vector<std::string>& suspects, Why why,
                      Change& change);
    static void promote(Service& service, Member& member, Why why, Change& change);
    static void lose(Service& service, const Why& why);
    Outcome finish(Service& service, Change& change);

    std::string platform_;
    std::uint64_t registry_id_ = 0;
    Revision revision_;
    std::map<std::string, Service> services_;
    std::map<Applied, Outcome> outcomes_;  ///< Of those whose proposer has not asked yet.
    bool restored_ = false;
    bool live_ = false;
};

/// Would the report change what the state knows of this member of a journaled service?
[[nodiscard]] bool is_news(const Service& service, const Member& member,
                           const wire::pb::MemberReported& reported);

[[nodiscard]] wire::pb::MemberInfo to_info(const Member& member);
[[nodiscard]] wire::pb::Designation to_designation(const role::Designation& what);
[[nodiscard]] wire::pb::ServiceInfo to_info(const Service& service);
/// What is waited for while nobody is active, for people. Empty: somebody is, or nobody is in line.
[[nodiscard]] std::string waiting_of(const Service& service);

}  // namespace understudy::registry
