#pragma once

#include <cstdint>
#include <utility>

namespace understudy {

/// Tells once that most of something is used up, and again only after it has been well below.
///
/// Thread: the owner's.
class HighWater {
public:
    static constexpr std::uint64_t high_percent = 80;  ///< Of the limit: from here on it is told.
    static constexpr std::uint64_t low_percent = 60;   ///< At or below, it may be told again.

    /// Takes note of how much is used now. True if that is to be told.
    [[nodiscard]] bool rises(std::uint64_t used, std::uint64_t limit) {
        // Not multiplied: a limit may be as large as its type.
        if (used <= limit / 100 * low_percent) high_ = false;
        if (used < limit - limit / 100 * (100 - high_percent)) return false;
        return !std::exchange(high_, true);
    }

    /// Most was used when it was looked at last.
    [[nodiscard]] bool high() const { return high_; }

private:
    bool high_ = false;
};

}  // namespace understudy
