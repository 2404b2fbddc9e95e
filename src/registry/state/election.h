#pragma once

#include <memory>
#include <string>

#include "registry/state/change.h"

namespace understudy::registry {

/// The registry whose state this is.
struct Platform {
    std::uint64_t registry_id = 0;
    bool restored = false;  ///< From a backup, a short while ago.
};

/// What a service without an active member waits for, for people.
struct Waiting {
    std::string what = {};  ///< Empty: for nothing.
    bool stuck = false;     ///< No member in line may become active.
};

/// How a service gets its active member.
///
/// There are three kinds: the registry elects one member, it makes all active, or the service's
/// journal elects and the registry designates. Each kind implements the functions that have no body
/// here; the others concern some kinds only.
///
/// Part of the replicated state: deterministic, no clock. Thread: loop only.
class Election {
public:
    [[nodiscard]] static std::unique_ptr<Election> of(Redundancy redundancy);

    Election() = default;
    virtual ~Election() = default;
    Election(const Election&) = delete;
    Election& operator=(const Election&) = delete;

    // Events. Their effects go into the change and its service.

    /// The service is new.
    virtual void created(Service&, const Platform&) {}
    /// The service has been one of another kind.
    virtual void begins(Service&) {}
    /// Its configuration has changed.
    virtual void configured(Change&) {}
    /// A member wants to join. Errors: bad_config, not_found, limit_exceeded (none).
    [[nodiscard]] virtual Result<void> admit(const Service&, const wire::pb::Register&) const {
        return {};
    }
    /// A member is in line: it is new, or it has registered again.
    virtual void joined(Change& change, const Platform& platform, const wire::pb::AddMember& add,
                        Member& member) = 0;
    /// A member of the line is gone. `suspects` are not promoted while others are there.
    virtual void left(Change& change, JoinOrder order, const Why& why,
                      const std::vector<std::string>& suspects) = 0;
    /// The same, and its next incarnation joins with the same command.
    virtual void replaced(Change& change, JoinOrder order, const Why& why) = 0;
    /// A switchover. From a member to itself: it is called off. Errors: refused, unavailable
    /// (none).
    [[nodiscard]] virtual Result<void> switched(Change& change,
                                                const wire::pb::Switchover& wanted) = 0;
    /// A client or a member has heard of an epoch.
    virtual void raised(Change&, const wire::pb::RaiseEpoch&) {}
    virtual void stop_waiting(Change&, const wire::pb::StopWaiting&) {}
    /// The state was restored from a backup, and its roles are not believed.
    virtual void forgotten(Service&) {}
    virtual void reported(Change&, Member&, const wire::pb::MemberReported&) {}
    /// No other copy has started for long enough: a last resort is allowed.
    virtual void waited(Change&) {}
    /// The service is defined from now on, with these copies. Requires: no member is in line.
    virtual void defined(Change&, const std::vector<std::string>&) {}
    virtual void copy_added(Change&, const std::string&) {}
    /// Requires: the member of this name is not in line any more.
    virtual void copy_removed(Change&, const std::string&) {}

    // Queries.

    /// What a member is when it joins.
    [[nodiscard]] virtual Role first_role() const { return Role::standby; }
    /// A member may keep the place in line that it had before.
    [[nodiscard]] virtual bool keeps_places() const { return true; }
    /// Epochs that clients have heard of raise that of the service.
    [[nodiscard]] virtual bool believes_hearsay() const { return true; }
    /// In a switchover the state only designates; the journal decides when the role changes.
    [[nodiscard]] virtual bool journal_decides() const { return false; }
    /// Would the report change what is known of this member?
    [[nodiscard]] virtual bool is_news(const Service&, const Member&,
                                       const wire::pb::MemberReported&) const {
        return false;
    }
    /// Requires: no member is active, and one at least is in line.
    [[nodiscard]] virtual Waiting waiting(const Service& service) const = 0;
    /// Null if the journal does not elect.
    [[nodiscard]] virtual const role::StartOrder* start_order() const { return nullptr; }
    /// One that is under way in the journal. Null: none.
    [[nodiscard]] virtual const wire::pb::Switchover* switchover() const { return nullptr; }

    /// Its own data in the image of the state.
    virtual void save(wire::pb::ServiceState&) const {}
    virtual void load(Service&, const wire::pb::ServiceState&) {}
    /// Aborts if the service contradicts itself.
    virtual void check_invariants(const Service& service) const = 0;
};

/// Nothing if a member is active, or none is in line.
[[nodiscard]] Waiting waiting_of(const Service& service);

}  // namespace understudy::registry
