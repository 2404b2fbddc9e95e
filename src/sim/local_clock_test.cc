#include "sim/local_clock.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy::sim {
namespace {

constexpr TimePoint start{1h};

TEST(LocalClock, ADriftBeyondTheBoundIsRefused) {
    LocalClock clock(start, start);
    EXPECT_DEATH(clock.set_drift(LocalClock::drift_ppm_max + 1, start), "drift_ppm_max");
}

TEST(LocalClock, WithoutDriftItIsTheWorldsTimeShifted) {
    const LocalClock clock(start, start + 5s);
    EXPECT_EQ(clock.local(start + 7ns), start + 5s + 7ns);
    EXPECT_EQ(clock.world(start + 5s + 7ns), start + 7ns);
}

TEST(LocalClock, TwoPercentFastGainsTwentyMillisecondsInASecond) {
    LocalClock clock(start, start);
    clock.set_drift(20'000, start);
    EXPECT_EQ(clock.local(start + 1s), start + 1020ms);
}

TEST(LocalClock, ChangingTheDriftDoesNotMoveTheClock) {
    LocalClock clock(start, start);
    clock.set_drift(-20'000, start);
    const TimePoint before = clock.local(start + 10s);
    clock.set_drift(20'000, start + 10s);
    EXPECT_EQ(clock.local(start + 10s), before);
    EXPECT_EQ(before, start + 9800ms);
}

TEST(LocalClock, NeverStaysNever) {
    LocalClock clock(start, start);
    clock.set_drift(-20'000, start);
    EXPECT_EQ(clock.world(TimePoint::max()), TimePoint::max());
}

// world() is the exact inverse: the local deadline is reached at that instant, and not a nanosecond
// before.
TEST(LocalClock, ADeadlineIsReachedAtItsInstantAndNotBefore) {
    Random random(3);
    for (int i = 0; i < 10'000; ++i) {
        LocalClock clock(start, start + 77s);
        clock.set_drift(static_cast<int>(random.below(40'001)) - 20'000, start);
        const TimePoint deadline = start + 77s + random.between(1ns, Duration(100h));
        const TimePoint world = clock.world(deadline);
        ASSERT_GE(clock.local(world), deadline) << "turn " << i;
        ASSERT_LT(clock.local(world - 1ns), deadline) << "turn " << i;
    }
}

}  // namespace
}  // namespace understudy::sim
