#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "client/backoff.h"
#include "link/refusals.h"
#include "role/start_order.h"
#include "runtime/runtime.h"
#include "wire/control.pb.h"
#include "wire/message_type.h"

namespace understudy::client {

struct JournaledOptions {
    std::string family;
    /// Of a service that is registered before it runs: wire::replica_member(NUMBER).
    std::string member;
    /// Where it listens for whoever looks for the active member; told to others as it is.
    Address endpoint;
    /// Where the journals of the other members reach its own. Port 0: nowhere.
    Address node = {};
    Duration lease = 1s;
    /// Of a service that is not registered beforehand; else its registration says.
    role::LastResort last_resort = role::LastResort::never;
    /// The same for all members: one with another value is refused (bad_config). `dedicated`
    /// follows the registration of a service that is registered beforehand.
    role::Checkpointer checkpointer = role::Checkpointer::dedicated;
};

/// What a member is by the word of its journal, and how far it is.
struct JournaledReport {
    Role role = Role::joining;
    /// Active: of its tenure. Else: the highest that its journal shows.
    Epoch epoch = {};
    /// A checkpoint of the service exists: it has been started before.
    bool has_checkpoint = false;
    Index applied = {};
    Index committed = {};
    Index checkpoint = {};  ///< The newest checkpoint stands behind this entry.
    Duration checkpoint_age = {};
    std::string detail = {};  ///< For people, at most 256 bytes.
};

/// A switchover, as the two members hear of it that it is about.
struct Handover {
    std::string successor;
    Epoch epoch;     ///< That ends with it.
    Duration limit;  ///< For each step; then it is off.
};

/// What the owner of a journaled member hears. All on the loop; must not remove the member.
class JournaledObserver {
public:
    virtual ~JournaledObserver() = default;
    /// What the member is to do from now on: said once per registration, and when it changes.
    /// `known` is the highest epoch that any member has reported as its own.
    ///
    /// A designation says what may happen while nobody is active; it takes the role from nobody. A
    /// member that reports itself active is designated so, whoever was before.
    virtual void designated(const role::Designation& what, Epoch known) = 0;
    /// A switchover begins; both ends answer it by JournaledMember::ready(). The successor: at
    /// once, and reports how far it is until it is over. Who is active: when nothing of its own is
    /// on its way into the journal any more. designated() goes on from there, and is then called
    /// with each word of the registry, also one that changes nothing. Not answered: it comes to
    /// nothing.
    virtual void handover_wanted(const Handover&) {}
    /// The registry has the member in line, at this place.
    virtual void registered(std::uint64_t order) = 0;
    /// The registry refuses the member; it is tried again after a while. Errors of note: not_found:
    /// the replica is not registered any more; already_exists: another process has this member.
    virtual void refused(const Error& reason) = 0;
};

/// One local member of a service whose journal says who is active.
///
/// Keeps it registered, hears its designation, and tells the registry what it is: at once when its
/// role or epoch changes, at most once in `report_interval` how far it is, all of it again
/// after each registration. While the registry is away the last designation holds.
/// Thread: loop only.
class JournaledMember {
public:
    static constexpr Duration report_interval = 1s;
    static constexpr std::size_t detail_max = 256;

    /// What a member needs from its agent.
    class Host {
    public:
        virtual ~Host() = default;
        /// A number for a Register message; nullopt: the registry is away.
        virtual std::optional<std::uint64_t> next_registration() = 0;
        virtual void send_register(const wire::pb::Register& wanted) = 0;
        virtual void send_report(const wire::pb::MemberReport& report) = 0;
        virtual void send_drained(const wire::pb::Drained& drained) = 0;
    };

    JournaledMember(Runtime& runtime, Log& log, JournaledOptions options,
                    JournaledObserver& observer, Host& host);

    [[nodiscard]] const JournaledOptions& options() const { return options_; }
    [[nodiscard]] const std::string& family() const { return options_.family; }
    [[nodiscard]] const std::string& name() const { return options_.member; }
    /// Nullopt until the registry has said one.
    [[nodiscard]] const std::optional<role::Designation>& designation() const {
        return designation_;
    }
    [[nodiscard]] bool in_line() const { return in_line_; }

    /// What it is from now on. Cheap: to be called whenever something has changed.
    void report(JournaledReport report);
    /// The answer to handover_wanted() of this epoch. What was reported last goes before it.
    void ready(Epoch epoch);

    // From the agent.
    void registry_up();
    void registry_down();
    /// The answer to the Register message of that number.
    void registered(const wire::pb::Registered& answer);
    void granted(const wire::pb::RoleGrant& grant);
    void drain(const wire::pb::Drain& drain);
    void revoked();

private:
    void enter();
    void take(const wire::pb::Designation& what, std::uint64_t epoch, bool always);
    void send_report();
    void arm_report();
    [[nodiscard]] bool waits_for_report() const { return report_timer_ != nullptr; }

    Runtime& runtime_;
    Log& log_;
    link::Refusals refusals_;
    const JournaledOptions options_;
    JournaledObserver& observer_;
    Host& host_;
    std::optional<role::Designation> designation_;
    JournaledReport report_;
    bool reported_ = false;         ///< report() has been called.
    bool news_ = false;             ///< It says more than the registry has been told.
    std::uint64_t request_ = 0;     ///< Registration under way; 0: none.
    bool in_line_ = false;
    Backoff backoff_{200ms, 2s};    ///< Between refusals.
    std::unique_ptr<Timer> retry_;
    std::unique_ptr<Timer> report_timer_;  ///< No position is sent before it has ended.
    std::unique_ptr<Timer> handover_;      ///< Until then one may be under way.
};

}  // namespace understudy::client
