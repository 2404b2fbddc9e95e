#pragma once

#include <cstdint>
#include <utility>

namespace understudy {

/// Reports once that most of something is used up. It reports again only after the use has been
/// well below.
///
/// Thread: that of its owner.
class HighWater {
public:
    static constexpr std::uint64_t high_percent =
        80;  ///< Of the limit: from here on it is reported.
    static constexpr std::uint64_t low_percent =
        60;  ///< At or below this, it may be reported again.

    /// Notes how much is used now. Returns true if that must be reported.
    [[nodiscard]] bool rises(std::uint64_t used, std::uint64_t limit) {
        // Division comes first because a limit may be as large as its type.
        if (used <= limit / 100 * low_percent) high_ = false;
        if (used < limit - limit / 100 * (100 - high_percent)) return false;
        return !std::exchange(high_, true);
    }

    /// True if most was used when rises() was called last.
    [[nodiscard]] bool high() const { return high_; }

private:
    bool high_ = false;
};

}  // namespace understudy
