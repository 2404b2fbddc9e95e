#pragma once

#include <cstdint>
#include <optional>

#include "understudy/types.h"

namespace understudy::journal {

/// Decides when a standby on a shared directory takes over, where no registry does.
///
/// The lock of the owner's claim is the fast path: it is free when the owner's process has ended.
/// The progress stamp is the slow one: a hung owner keeps its lock for ever. Neither is relied on
/// for safety, that is the epoch's business; so being wrong costs a takeover, not an entry.
///
/// Only one clock counts, the looker's own; and looks are counted beside time, so that somebody who
/// was stopped himself does not hold his own pause against the owner.
///
/// Sans-IO: what was seen and the time come in, the decision goes out.
/// Source: docs/protocols/fencing.md, "Who takes over".
class ClaimMachine {
public:
    /// One look into the directory.
    struct Sighting {
        Epoch epoch;               ///< As published; 0: nobody ever has.
        std::uint64_t tenure = 0;  ///< Whose that is.
        std::uint64_t stamp = 0;
        bool held = false;  ///< Somebody holds the lock of the claim.
        friend bool operator==(const Sighting&, const Sighting&) = default;
    };
    enum class Verdict : std::uint8_t { wait, claim };

    static constexpr int looks_per_lease = 6;
    static constexpr int looks_min = 4;  ///< As many must have seen the same stamp.

    explicit ClaimMachine(Duration lease) : lease_(lease) {}

    [[nodiscard]] Verdict saw(TimePoint now, const Sighting& sighting);
    /// A look failed: nothing is known of the time since the one before.
    void missed();
    /// Leaves the next epoch to others until then: a claim of ours came to nothing, or we stepped
    /// down. Whoever else publishes one ends the waiting.
    void stand_back(TimePoint until);

    /// How often a look is worth counting, and an owner rewrites its stamp.
    [[nodiscard]] TimePoint next_look(TimePoint now) const { return now + interval(); }
    [[nodiscard]] Duration interval() const { return lease_ / looks_per_lease; }

private:
    const Duration lease_;
    std::optional<Sighting> seen_;
    TimePoint since_;  ///< When it was first seen as it is.
    int looks_ = 0;    ///< That found it so, an interval apart.
    TimePoint last_look_;
    std::optional<TimePoint> back_until_;
};

}  // namespace understudy::journal
