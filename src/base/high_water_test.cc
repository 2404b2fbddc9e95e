#include "base/high_water.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

TEST(HighWater, ACrossingIsToldOnceUntilItHasBeenWellBelow) {
    HighWater water;
    EXPECT_FALSE(water.rises(799, 1000));
    EXPECT_TRUE(water.rises(800, 1000));
    EXPECT_TRUE(water.high());
    for (const std::uint64_t used : {900U, 700U, 1000U, 601U, 850U}) {
        EXPECT_FALSE(water.rises(used, 1000)) << used;
    }
    EXPECT_FALSE(water.rises(600, 1000));
    EXPECT_FALSE(water.high());
    EXPECT_TRUE(water.rises(2000, 1000)) << "beyond it, too";
}

TEST(HighWater, ALimitThatIsNoneIsNeverReached) {
    HighWater water;
    EXPECT_FALSE(water.rises(std::uint64_t{1} << 40, UINT64_MAX));
}

}  // namespace
}  // namespace understudy
