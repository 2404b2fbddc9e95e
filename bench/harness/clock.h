#pragma once

#include <chrono>
#include <cstdint>
#include <thread>

#include "understudy/types.h"

namespace understudy::bench {

/// The monotonic clock. All processes of a machine share it, so that messages between them can be
/// timed.
[[nodiscard]] inline TimePoint now() {
    return TimePoint(std::chrono::steady_clock::now().time_since_epoch());
}

[[nodiscard]] inline std::uint64_t nanoseconds(TimePoint at) {
    return static_cast<std::uint64_t>(at.time_since_epoch().count());
}

[[nodiscard]] inline double in_seconds(Duration time) {
    return static_cast<double>(time.count()) / 1e9;
}

inline void pause_for(Duration time) { std::this_thread::sleep_for(time); }

}  // namespace understudy::bench
