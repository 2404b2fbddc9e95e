#pragma once

#include <chrono>

#include "understudy/types.h"

namespace understudy::library {

/// The time on the application's threads, on the same scale as Runtime::now().
[[nodiscard]] inline TimePoint clock_now() {
    return TimePoint(std::chrono::steady_clock::now().time_since_epoch());
}

/// For condition variables, which need a clock that they can read.
[[nodiscard]] inline std::chrono::steady_clock::time_point to_steady(TimePoint when) {
    return std::chrono::steady_clock::time_point(when.time_since_epoch());
}

/// `from` + `wait`, or the maximum if the sum does not fit.
[[nodiscard]] inline TimePoint later(TimePoint from, Duration wait) {
    if (wait <= Duration::zero()) return from;
    return wait < TimePoint::max() - from ? from + wait : TimePoint::max();
}

}  // namespace understudy::library
