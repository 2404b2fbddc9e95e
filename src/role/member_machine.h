#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/types.h"

namespace understudy::role {

/// The member's side of one role: what it tells the application, and whether it may answer.
///
/// Promises: the application is first told the role that was decided at registration; a member that
/// was ever standby is told standby before active; the same role and epoch are never told twice in
/// a row. A member whose lease has lapsed does not answer until it has heard the registry again, or
/// until its link to the registry is known to be lost and the policy says keep. A process that was
/// paused resumes in exactly that state: its lease has lapsed, its link seems to be intact, and it
/// does not answer.
///
/// Sans-IO. Thread: loop only.
/// Source: docs/protocols/roles.md.
class MemberMachine {
public:
    struct Options {
        Redundancy redundancy = Redundancy::fault_tolerant;
        Duration lease = 1s;
        OnRegistryLoss on_registry_loss = OnRegistryLoss::by_registry;
    };

    /// What the application is to be told.
    struct Change {
        Role role;
        Epoch epoch;
    };

    explicit MemberMachine(const Options& options) : options_(options) {}

    /// A grant by the registry. If its epoch is below a known one, it is late and is ignored.
    [[nodiscard]] std::optional<Change> granted(Role role, Epoch epoch);
    /// The registry has removed the member from the line. An active member hears standby.
    [[nodiscard]] std::optional<Change> revoked(Epoch epoch);
    /// A peer has shown an epoch of this service. If it is above the member's own epoch, the member
    /// is not active any more.
    [[nodiscard]] std::optional<Change> heard_epoch(Epoch epoch);

    /// The lease may have ended: a member that steps down then hears standby.
    [[nodiscard]] std::optional<Change> check_lease(TimePoint now);
    /// When check_lease() returns a change; nullopt: never.
    [[nodiscard]] std::optional<TimePoint> steps_down_at() const;

    /// The registry acknowledged a heartbeat that was *sent* at `sent`.
    void renewed(TimePoint sent);
    void link_up() { link_lost_ = false; }
    void link_lost() { link_lost_ = true; }
    /// The registry asks for a handover: until its next grant the member takes no new calls.
    void drain() { draining_ = true; }

    /// May this member act as active now? Checked before each reply and each publication.
    [[nodiscard]] bool may_act(TimePoint now) const;

    [[nodiscard]] Role role() const { return role_; }
    /// Of the role held; for fencing what it does.
    [[nodiscard]] Epoch epoch() const { return epoch_; }
    /// The highest epoch heard of, whichever member holds it.
    [[nodiscard]] Epoch epoch_heard() const { return epoch_heard_; }
    [[nodiscard]] bool draining() const { return draining_; }
    [[nodiscard]] bool decided() const { return role_ != Role::joining; }
    [[nodiscard]] const Options& options() const { return options_; }
    void set_options(const Options& options) { options_ = options; }
    /// The number of nodes that the registry has, as last heard.
    void set_registry_nodes(std::size_t nodes) { registry_nodes_ = nodes; }
    /// What applies now: never by_registry.
    [[nodiscard]] OnRegistryLoss on_registry_loss() const;

private:
    std::optional<Change> become(Role role, Epoch epoch);

    Options options_;
    Role role_ = Role::joining;
    Epoch epoch_;
    Epoch epoch_heard_;
    TimePoint renewed_last_;  ///< Sending time of the last acknowledged heartbeat.
    std::size_t registry_nodes_ = 1;
    bool link_lost_ = true;
    bool draining_ = false;
};

}  // namespace understudy::role
