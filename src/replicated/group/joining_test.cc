#include "replicated/group/joining.h"

#include <gtest/gtest.h>

namespace understudy::replicated {
namespace {

constexpr TimePoint start = TimePoint{} + 1h;

TEST(Joining, AnOutsiderAsksAtOnceAndThenNowAndThen) {
    Joining joining;
    EXPECT_TRUE(joining.outsider(start).ask);
    const auto next = joining.outsider(start + 100ms);
    EXPECT_FALSE(next.ask);
    EXPECT_EQ(next.again, start + Joining::join_interval);
    EXPECT_TRUE(joining.outsider(next.again).ask);
}

TEST(Joining, AFollowerAsksOnlyWhenItHasHeardOfNoLeaderForLong) {
    Joining joining;
    EXPECT_EQ(joining.follower(true, start).again, TimePoint::max());
    const auto next = joining.follower(false, start);
    EXPECT_FALSE(next.ask);
    EXPECT_EQ(next.again, start + Joining::outside_interval);
    EXPECT_FALSE(joining.follower(true, start + 1s).ask);
    EXPECT_FALSE(joining.follower(false, next.again).ask) << "there was a leader meanwhile";
    EXPECT_TRUE(joining.follower(false, next.again + Joining::outside_interval).ask);
    EXPECT_FALSE(joining.follower(false, next.again + Joining::outside_interval).ask);
}

TEST(Joining, ItIsOutsideUntilALeaderCountsIt) {
    Joining joining;
    EXPECT_TRUE(joining.excluded());
    EXPECT_FALSE(joining.excluded()) << "it is known already";
    EXPECT_TRUE(joining.outside());
    joining.counted();
    EXPECT_FALSE(joining.outside());
    EXPECT_TRUE(joining.excluded());
}

}  // namespace
}  // namespace understudy::replicated
