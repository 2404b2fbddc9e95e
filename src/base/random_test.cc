#include "base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace understudy {
namespace {

TEST(Random, SequenceFollowsFromTheSeedAlone) {
    // First outputs of the reference xoshiro256** with a splitmix64 state from seed 0.
    Random random(0);
    EXPECT_EQ(random.next(), 0x99ec5f36cb75f2b4u);
    EXPECT_EQ(random.next(), 0xbf6e1f784956452au);
    EXPECT_EQ(random.next(), 0x1a5f849d4933e6e0u);
    Random same(7), again(7), other(8);
    for (int i = 0; i < 100; ++i) {
        const std::uint64_t drawn = same.next();
        EXPECT_EQ(drawn, again.next());
        EXPECT_NE(drawn, other.next());
    }
}

TEST(Random, BelowReachesEveryNumberAndNoOther) {
    Random random(1);
    std::array<int, 10> seen{};
    for (int i = 0; i < 10000; ++i) {
        const std::uint64_t drawn = random.below(seen.size());
        ASSERT_LT(drawn, seen.size());
        ++seen[drawn];
    }
    for (const int count : seen) {
        EXPECT_GT(count, 800);
        EXPECT_LT(count, 1200);
    }
    EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, BelowIsFairForALargeBound) {
    // If the last round were not discarded, two in three results would be in the lower half.
    Random random(2);
    const std::uint64_t bound = (std::uint64_t{3} << 62);
    int low = 0;
    for (int i = 0; i < 3000; ++i) low += random.below(bound) < bound / 2 ? 1 : 0;
    EXPECT_GT(low, 1350);
    EXPECT_LT(low, 1650);
}

TEST(Random, BetweenIncludesBothEnds) {
    Random random(3);
    bool low = false, high = false;
    for (int i = 0; i < 1000; ++i) {
        const Duration drawn = random.between(5ns, 8ns);
        ASSERT_GE(drawn, 5ns);
        ASSERT_LE(drawn, 8ns);
        low = low || drawn == 5ns;
        high = high || drawn == 8ns;
    }
    EXPECT_TRUE(low);
    EXPECT_TRUE(high);
    EXPECT_EQ(random.between(9ns, 9ns), 9ns);
    const Duration negative = random.between(-3ns, -1ns);
    EXPECT_GE(negative, -3ns);
    EXPECT_LE(negative, -1ns);
}

TEST(Random, BetweenTakesTheWholeRange) {
    Random random(4);
    std::uint64_t all = 0;
    for (int i = 0; i < 200; ++i) all |= random.between(0, UINT64_MAX);
    EXPECT_EQ(all, UINT64_MAX);
    (void)random.between(Duration::min(), Duration::max());  // The sanitizer finds an overflow.
}

TEST(Random, ChanceIsNeverAtZeroAndAlwaysAtOne) {
    Random random(5);
    int quarter = 0;
    for (int i = 0; i < 4000; ++i) {
        EXPECT_FALSE(random.chance(0, 4));
        EXPECT_TRUE(random.chance(4, 4));
        quarter += random.chance(1, 4) ? 1 : 0;
    }
    EXPECT_GT(quarter, 850);
    EXPECT_LT(quarter, 1150);
}

TEST(RandomDeathTest, EmptyRangeIsAnInvariant) {
    Random random(6);
    EXPECT_DEATH((void)random.below(0), "bound > 0");
    EXPECT_DEATH((void)random.between(2ns, 1ns), "low <= high");
}

}  // namespace
}  // namespace understudy
