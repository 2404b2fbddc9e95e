#pragma once

#include <cstdint>

#include "understudy/types.h"

namespace understudy::sim {

/// One process's view of monotonic time: the time of the world, shifted and with a small drift.
///
/// It uses only integer arithmetic, so that every compiler computes the same instant. It never runs
/// backwards, also when the drift changes.
class LocalClock {
public:
    static constexpr int drift_ppm_max = 20'000;  ///< 2 %, which leases must allow for.

    /// Shows `local` when the world's time is `world`.
    LocalClock(TimePoint world, TimePoint local) : world_base_(world), local_base_(local) {}

    /// Runs `ppm` millionths faster (or slower) from `world` on. Requires: |ppm| <= drift_ppm_max.
    void set_drift(int ppm, TimePoint world);

    [[nodiscard]] TimePoint local(TimePoint world) const;
    /// The first instant of the world at which local() is `local` or later.
    [[nodiscard]] TimePoint world(TimePoint local) const;
    [[nodiscard]] int drift_ppm() const { return ppm_; }

private:
    [[nodiscard]] std::int64_t stretched(std::int64_t elapsed) const;

    TimePoint world_base_;
    TimePoint local_base_;
    int ppm_ = 0;
};

}  // namespace understudy::sim
