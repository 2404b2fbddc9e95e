#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/types.h"
#include "role/start_order.h"
#include "wire/control.pb.h"
#include "wire/registry_log.pb.h"

namespace understudy::registry {

class Election;

/// One member of one service, in the registry's memory.
struct Member {
    std::string name;
    std::string agent;
    Incarnation incarnation;
    Address endpoint;
    JoinOrder order;
    /// What it is. In a service with a journal: what it has reported. A checkpointer is a standby
    /// that is designated so.
    Role role = Role::standby;
    Epoch epoch;  ///< Of its role. Load-balanced members have one each.
    wire::pb::Process process;
    std::uint64_t joined_wall_ms = 0;
    bool unheard = false;  ///< Known from a backup, and has said nothing since: not promoted.
    /// Only in a service whose journal elects.
    std::optional<role::Designation> designation = {};
    Address node = {};  ///< Of its journal. Port 0: it has none.
};

/// One service: its members in line, the active one, the epoch, the story of promotions.
///
/// How the active member is found is the business of its Election.
class Service {
public:
    explicit Service(wire::pb::ServiceConfig its_config);
    ~Service();
    Service(Service&&) noexcept;
    Service& operator=(Service&&) noexcept;

    /// Sets the configuration. Another redundancy begins with a new Election.
    /// Requires: no member is in line, and the service is not defined.
    void configure(const wire::pb::ServiceConfig& wanted);

    wire::pb::ServiceConfig config;
    Epoch epoch = {};  ///< Highest ever granted or reported. Outlives all members.
    std::map<JoinOrder, Member> line = {};
    JoinOrder next_order{1};
    JoinOrder active = {};  ///< 0: none.
    /// The reported holder that has not returned yet. No member is promoted meanwhile.
    std::string awaited = {};
    /// An epoch that was not granted here may have a holder. No member is promoted before that
    /// holder had a lease to say so.
    bool unsettled = false;
    /// Why the service lost its active member, while it has none.
    std::optional<wire::pb::Loss> lost = {};
    std::uint64_t revision = 0;
    std::uint64_t promotions = 0;
    std::deque<wire::pb::Promotion> story = {};  ///< Oldest first.
    /// If it was registered beforehand.
    std::optional<wire::pb::Definition> definition = {};

    [[nodiscard]] Election& election() { return *election_; }
    [[nodiscard]] const Election& election() const { return *election_; }
    [[nodiscard]] Redundancy redundancy() const;
    /// No member is promoted now; StopWaiting ends it.
    [[nodiscard]] bool waits() const { return !awaited.empty() || unsettled; }
    [[nodiscard]] const Member* find(const std::string& member) const;
    [[nodiscard]] const Member* active_member() const;
    /// The members in line, for people: "replica-0, replica-1".
    [[nodiscard]] std::string names() const;
    /// Aborts if the line, the active member and the epoch contradict each other.
    void check_one_active() const;

private:
    std::unique_ptr<Election> election_;
};

[[nodiscard]] wire::pb::MemberInfo to_info(const Member& member);
[[nodiscard]] wire::pb::Designation to_designation(const role::Designation& what);
[[nodiscard]] wire::pb::ServiceInfo to_info(const Service& service);

}  // namespace understudy::registry
