#pragma once

#include "base/random.h"
#include "understudy/types.h"

namespace understudy::sim {

/// An exponentially distributed time with the given mean. It uses only integers, because the
/// libraries of two machines may compute log() differently. It approximates -log2 of a uniform
/// number by straight lines between its whole values, with an error of at most 9 %.
[[nodiscard]] Duration exponential(Random& random, Duration mean);

/// Uniform on a logarithmic scale in [low, high]. Requires: 0 < low <= high.
[[nodiscard]] Duration log_uniform(Random& random, Duration low, Duration high);

/// True in `rate` of a million draws; a rate of 0 uses no random number.
[[nodiscard]] inline bool happens(Random& random, std::uint32_t rate) {
    return rate != 0 && random.chance(rate, 1'000'000);
}

}  // namespace understudy::sim
