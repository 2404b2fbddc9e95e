#pragma once

#include "base/random.h"
#include "understudy/types.h"

namespace understudy::sim {

/// An exponentially distributed time with the given mean, by integers alone: the libraries of two
/// machines need not agree on log(). Takes -log2 of a uniform number with a straight line between
/// its whole values, which is at most 9 % off.
[[nodiscard]] Duration exponential(Random& random, Duration mean);

/// Uniform on a logarithmic scale in [low, high]. Requires: 0 < low <= high.
[[nodiscard]] Duration log_uniform(Random& random, Duration low, Duration high);

/// True in `rate` of a million draws; a rate of 0 draws nothing.
[[nodiscard]] inline bool happens(Random& random, std::uint32_t rate) {
    return rate != 0 && random.chance(rate, 1'000'000);
}

}  // namespace understudy::sim
