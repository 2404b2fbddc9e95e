#include "sim/local_clock.h"

namespace understudy::sim {
namespace {

constexpr std::int64_t million = 1'000'000;
// Beyond this (146 years) a deadline means "never"; below it nothing here overflows.
constexpr std::int64_t never = std::int64_t{1} << 62;

}  // namespace

void LocalClock::set_drift(int ppm, TimePoint world) {
    US_ASSERT(ppm <= drift_ppm_max);
    US_ASSERT(ppm >= -drift_ppm_max);
    local_base_ = local(world);
    world_base_ = world;
    ppm_ = ppm;
}

TimePoint LocalClock::local(TimePoint world) const {
    US_ASSERT(world >= world_base_);
    return local_base_ + Duration(stretched((world - world_base_).count()));
}

TimePoint LocalClock::world(TimePoint local) const {
    if (local <= local_base_) return world_base_;
    if (local.time_since_epoch().count() >= never) return TimePoint::max();
    const std::int64_t wanted = (local - local_base_).count();
    if (ppm_ == 0) return world_base_ + Duration(wanted);
    const std::int64_t rate = million + ppm_;
    std::int64_t elapsed = wanted / rate * million + wanted % rate * million / rate;
    while (stretched(elapsed) < wanted) ++elapsed;
    while (elapsed > 0 && stretched(elapsed - 1) >= wanted) --elapsed;
    return world_base_ + Duration(elapsed);
}

std::int64_t LocalClock::stretched(std::int64_t elapsed) const {
    return elapsed + elapsed / million * ppm_ + elapsed % million * ppm_ / million;
}

}  // namespace understudy::sim
