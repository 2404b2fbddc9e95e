#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "client/enrolment.h"
#include "role/start_order.h"
#include "runtime/runtime.h"
#include "wire/control.pb.h"
#include "wire/message_type.h"

namespace understudy::client {

struct JournaledOptions {
    std::string family;
    /// For a service that is registered before it runs: wire::replica_member(NUMBER).
    std::string member;
    /// Where clients reach the member. The registry tells it to them.
    Address endpoint;
    /// Where the journals of the other members reach its journal. Port 0: none.
    Address node = {};
    Duration lease = 1s;
    /// For a service that is not registered before it runs; otherwise the registration decides.
    role::LastResort last_resort = role::LastResort::never;
    /// The same for all members: one with another value is refused (bad_config). `dedicated`
    /// follows the registration of a service that is registered beforehand.
    role::Checkpointer checkpointer = role::Checkpointer::dedicated;
};

/// What the journal says of a member: its role, and how far it is.
struct JournaledReport {
    Role role = Role::joining;
    /// If active, the epoch of its tenure; else the highest epoch in its journal.
    Epoch epoch = {};
    /// A checkpoint of the service exists, so it has been started before.
    bool has_checkpoint = false;
    Index applied = {};
    Index committed = {};
    Index checkpoint = {};  ///< The last entry that the newest checkpoint includes.
    Duration checkpoint_age = {};
    std::string detail = {};  ///< For people, at most 256 bytes.
};

/// A switchover, as the active member and its successor are told of it.
struct Handover {
    std::string successor;
    Epoch epoch;     ///< The epoch that it ends.
    Duration limit;  ///< For each step. After it the switchover is cancelled.
};

/// What a journaled member tells its owner. All calls are on the loop, and must not remove the
/// member.
class JournaledObserver {
public:
    virtual ~JournaledObserver() = default;
    /// What the member is to be from now on. Called once for each registration, and when it
    /// changes. `known` is the highest epoch that any member has reported as its own.
    ///
    /// A designation counts only while no member is active: it takes the role from no member. A
    /// member that reports itself active is then designated as active.
    virtual void designated(const role::Designation& what, Epoch known) = 0;
    /// A switchover begins. The active member and the successor answer by
    /// JournaledMember::ready(). The successor answers at once, and reports how far it is until the
    /// switchover is over. The active member answers when it has nothing left to append. From then
    /// on designated() is called with every designation, also with one that changes nothing.
    /// Without an answer the switchover is cancelled.
    virtual void handover_wanted(const Handover&) {}
    /// The registry has the member in its line, at this place.
    virtual void registered(std::uint64_t order) = 0;
    /// The registry refuses the member, which tries again later. not_found: the replica is not
    /// registered any more. already_exists: another process has this member.
    virtual void refused(const Error& reason) = 0;
};

/// One local member of a service whose journal elects the active member.
///
/// It keeps itself registered, receives its designation, and reports to the registry: at once when
/// its role or epoch changes, at most once in `report_interval` when its positions change, and
/// after each registration. While the registry is away the last designation holds.
/// Thread: loop only.
class JournaledMember final : private Enrolment::Applicant {
public:
    static constexpr Duration report_interval = 1s;
    static constexpr std::size_t detail_max = 256;

    JournaledMember(Runtime& runtime, Log& log, JournaledOptions options,
                    JournaledObserver& observer, RegistryPort& registry);

    [[nodiscard]] const JournaledOptions& options() const { return options_; }
    [[nodiscard]] const std::string& family() const { return options_.family; }
    [[nodiscard]] const std::string& name() const { return options_.member; }
    /// Nullopt until the first registration.
    [[nodiscard]] const std::optional<role::Designation>& designation() const {
        return designation_;
    }
    [[nodiscard]] bool in_line() const { return enrolment_.in_line(); }

    /// What the member is from now on. Cheap: call it whenever something has changed.
    void report(JournaledReport report);
    /// The answer to handover_wanted() of this epoch. The last report is sent before it.
    void ready(Epoch epoch);

    // From the agent.
    void registry_up() { enrolment_.enter(); }
    void registry_down();
    void registered(const wire::pb::Registered& answer) { enrolment_.answered(answer); }
    void granted(const wire::pb::RoleGrant& grant);
    void drain(const wire::pb::Drain& drain);
    void revoked(const wire::pb::Revoked& revoked);

private:
    void describe(wire::pb::Register& wanted) override;
    void enrolled(const wire::pb::Registered& answer, TimePoint sent) override;
    void refused(const Error& reason) override { observer_.refused(reason); }

    void take(const wire::pb::Designation& what, std::uint64_t epoch, bool always);
    void send_report();
    void arm_report();
    [[nodiscard]] bool waits_for_report() const { return report_timer_ != nullptr; }

    Runtime& runtime_;
    Log& log_;
    const JournaledOptions options_;
    JournaledObserver& observer_;
    RegistryPort& registry_;
    Enrolment enrolment_;
    std::optional<role::Designation> designation_;
    JournaledReport report_;
    bool reported_ = false;         ///< report() has been called.
    bool news_ = false;             ///< It has changed since it was sent.
    std::unique_ptr<Timer> report_timer_;  ///< Until it ends, no positions are sent.
    std::unique_ptr<Timer> handover_;      ///< Until it ends, a switchover may be under way.
};

}  // namespace understudy::client
