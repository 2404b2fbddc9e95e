#pragma once

#include <cstdint>
#include <optional>

#include "understudy/types.h"

namespace understudy::journal {

/// Decides when a standby on a shared directory takes over, where no registry does.
///
/// The lock of the owner's claim is the fast path: it is free when the owner's process has ended.
/// The progress stamp is the slow path: a hung owner keeps its lock for ever. Safety depends on
/// neither of them, but on the epoch. So a wrong decision causes an unnecessary takeover and loses
/// no entry.
///
/// Only the standby's own clock is used. Looks are counted in addition to time. So a standby that
/// was stopped itself does not take its own pause for a silence of the owner.
///
/// Sans-IO: what was seen and the time go in, the decision comes out.
/// Source: docs/protocols/fencing.md, "When a member takes over".
class ClaimMachine {
public:
    /// One look into the directory.
    struct Sighting {
        Epoch epoch;               ///< The published one; 0: none was ever published.
        std::uint64_t tenure = 0;  ///< Of the owner of that epoch.
        std::uint64_t stamp = 0;
        bool held = false;  ///< A process holds the lock of the claim.
        friend bool operator==(const Sighting&, const Sighting&) = default;
    };
    enum class Verdict : std::uint8_t { wait, claim };

    static constexpr int looks_per_lease = 6;
    static constexpr int looks_min = 4;  ///< So many looks must have seen the same stamp.

    explicit ClaimMachine(Duration lease) : lease_(lease) {}

    [[nodiscard]] Verdict saw(TimePoint now, const Sighting& sighting);
    /// A look failed: nothing is known about the time since the look before it.
    void missed();
    /// Leaves the next epoch to other members until then, after a claim of this member failed or
    /// this member stepped down. The wait ends earlier if looks find a change of owner.
    void stand_back(TimePoint until);

    /// When the next look counts. An owner rewrites its stamp at the same interval.
    [[nodiscard]] TimePoint next_look(TimePoint now) const { return now + interval(); }
    [[nodiscard]] Duration interval() const { return lease_ / looks_per_lease; }

private:
    const Duration lease_;
    std::optional<Sighting> seen_;
    TimePoint since_;  ///< When `seen_` was first seen as it is.
    int looks_ = 0;    ///< How many looks found it so, each an interval after the one before.
    TimePoint last_look_;
    std::optional<TimePoint> back_until_;
};

}  // namespace understudy::journal
