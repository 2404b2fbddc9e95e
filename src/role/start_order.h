#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "understudy/types.h"

namespace understudy::role {

/// May a checkpointer become active when no other member can?
enum class LastResort { never, allow };

/// Which member takes the checkpoints of a service.
enum class Checkpointer {
    dedicated,  ///< A member that does nothing else, and does not become active.
    shared,     ///< A standby, which may become active like the others.
};
[[nodiscard]] std::string_view name(Checkpointer checkpointer);

/// What a running member is to do for a service that has a journal.
struct Designation {
    Role role = Role::standby;       ///< active, standby or checkpointer.
    bool electable = true;           ///< May become active, without a last resort.
    bool takes_checkpoints = false;  ///< One member has this duty, whenever one runs.
    friend bool operator==(const Designation&, const Designation&) = default;
};

struct Designated {
    std::string member;
    Designation what;
    friend bool operator==(const Designated&, const Designated&) = default;
};

/// Which member is active and which takes checkpoints, by the order in which they are started.
///
/// On the first start ever, the first member is active and takes the first checkpoint, the second
/// is the checkpointer, later ones are standbys. After a full stop, the first is the checkpointer,
/// the second is active, later ones are standbys. A service of one registered copy is an exception:
/// that copy is active.
///
/// The checkpointer becomes active only as a last resort. If it ends, the standby that was started
/// last takes over the duty at once. That standby is not electable only while another electable
/// standby remains. If it is promoted all the same, it drops the checkpoint that it has begun.
/// Without any standby the active member takes its own checkpoints.
///
/// With a shared checkpointer all copies are electable. The first that is started is active, also
/// after a full stop, and when it ends, the earliest of the others. The standby that was started
/// last takes the checkpoints and keeps this duty until it ends or becomes active.
///
/// A machine: events in, what has changed out, in the order of starting.
/// Thread: the owner's.
class StartOrder {
public:
    struct Options {
        LastResort last_resort = LastResort::never;
        Checkpointer checkpointer = Checkpointer::dedicated;
        bool had_checkpoint = false;  ///< The service has been started before.
    };
    using Changes = std::vector<Designated>;
    /// What is saved besides the running members. After a restoration the owner must say again
    /// which members lack entries, and whether a majority runs.
    struct Saved {
        bool has_checkpoint = false;
        std::vector<std::string> copies = {};
        std::string active = {};
        std::string checkpointer = {};
        std::string stand_in = {};
        bool first_start = false;
        bool had_checkpointer = false;
        bool may_resort = false;
        friend bool operator==(const Saved&, const Saved&) = default;
    };

    explicit StartOrder(Options options)
        : last_resort_(options.last_resort),
          shared_(options.checkpointer == Checkpointer::shared),
          founded_(options.had_checkpoint) {}

    /// Restores the order from `saved` and the running members, in the order of starting. Parts
    /// that contradict each other are left out.
    [[nodiscard]] static StartOrder restored(Options options, const Saved& saved,
                                             const std::vector<std::string>& line);
    [[nodiscard]] Saved save() const;

    /// A copy of the service was registered or removed. If a removed copy runs, it counts as
    /// stopped.
    Changes added(const std::string& member);
    Changes removed(const std::string& member);
    /// Requires: registered. A member that runs is not started again.
    Changes started(const std::string& member);
    Changes stopped(const std::string& member);
    /// The journal has made this member active, whichever was designated. No effect if it does not
    /// run.
    Changes elected(const std::string& member);
    /// The member was active until a switchover: of the running members it is the last that becomes
    /// active again.
    void to_the_back(const std::string& member);

    /// Says whether this member has every committed entry (`whole`). It is not promoted before. A
    /// member counts as whole until this says otherwise.
    Changes caught_up(const std::string& member, bool whole);
    /// On a replicated journal no member is promoted unless a majority of the voters runs. The
    /// value holds until the next call.
    Changes majority(bool runs);
    /// The first checkpoint exists: from now on a full start is one after a full stop.
    void has_checkpoint() { founded_ = true; }
    [[nodiscard]] bool founded() const { return founded_; }
    [[nodiscard]] const std::set<std::string>& copies() const { return copies_; }
    Changes allow(LastResort last_resort);
    /// The member that has the duty keeps it, until it ends or becomes active.
    Changes choose(Checkpointer checkpointer);
    /// No other member has started for long enough: a last resort is allowed from now on.
    Changes waited();

    /// Null: it does not run.
    [[nodiscard]] const Designation* find(std::string_view member) const;
    [[nodiscard]] const std::string& active() const { return active_; }  ///< Empty: none.
    [[nodiscard]] std::string_view duty() const;                         ///< The same.

    /// Aborts if what is designated contradicts itself.
    void check_invariants() const;

private:
    struct Member {
        std::string name;
        bool whole = true;
        Designation told;
        bool is_told = false;
    };

    [[nodiscard]] Member* running(std::string_view member);
    [[nodiscard]] const Member* running(std::string_view member) const;
    void leave(const std::string& member);
    void elect();
    void share_out_duty();
    [[nodiscard]] bool other_electable(const std::string& member) const;
    [[nodiscard]] Designation designation(const Member& member) const;
    Changes changes();

    LastResort last_resort_;
    bool shared_;  ///< The checkpointer.
    bool founded_;
    std::set<std::string> copies_;  ///< All that are registered.
    std::vector<Member> line_;      ///< The members that run, in the order of starting.
    std::string active_;
    std::string checkpointer_;  ///< By the start order.
    std::string stand_in_;      ///< The standby that has taken over the duty.
    bool first_start_ = false;  ///< This run is the first ever.
    bool had_checkpointer_ = false;  ///< This run.
    bool may_resort_ = false;  ///< There was an active member in this run, or waited() was called.
    bool majority_ = true;
};

}  // namespace understudy::role
