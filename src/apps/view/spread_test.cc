#include "apps/view/spread.h"

#include <gtest/gtest.h>

#include "wire/json.h"

namespace understudy::apps {
namespace {

using Buckets = std::vector<Spread::Bucket>;

TEST(Spread, OfNothingHasNoBuckets) {
    const Spread none({});
    EXPECT_EQ(none.percentile(50), 0U);
    EXPECT_EQ(none.buckets(), Buckets{});
    EXPECT_EQ(to_histogram(none), "");
    EXPECT_EQ(wire::to_json(to_json(none)),
              R"({"buckets":[],"max":0,"min":0,"p50":0,"p90":0,"p99":0})");
}

TEST(Spread, PercentilesAreFiguresThatCameUp) {
    std::vector<std::uint64_t> figures;
    for (std::uint64_t i = 201; i > 0; --i) figures.push_back(i - 1);
    const Spread spread(figures);
    EXPECT_EQ(spread.percentile(0), 0U);
    EXPECT_EQ(spread.percentile(50), 100U);
    EXPECT_EQ(spread.percentile(99), 198U);
    EXPECT_EQ(spread.percentile(100), 200U);
}

TEST(Spread, AFigureOnAnEdgeBelongsToTheBucketThatEndsThere) {
    EXPECT_EQ(Spread({2'000, 2'001, 900, 5'000}).buckets(),
              (Buckets{{1'000, 1}, {2'000, 1}, {5'000, 2}}));
}

TEST(Spread, EmptyBucketsBetweenFullOnesAreShown) {
    EXPECT_EQ(Spread({1'500, 15'000}).buckets(),
              (Buckets{{2'000, 1}, {5'000, 0}, {10'000, 0}, {20'000, 1}}));
}

TEST(Spread, TheShortestAndTheLongestHaveABucket) {
    EXPECT_EQ(Spread({0}).buckets(), (Buckets{{1, 1}}));
    EXPECT_EQ(Spread({UINT64_MAX}).buckets(), (Buckets{{200'000'000'000, 1}}));
}

TEST(Spread, TheFullestBarFillsTheRoomAndNobodyIsLeftOut) {
    std::vector<std::uint64_t> figures(1'000, 4'000);
    figures.push_back(30'000);
    EXPECT_EQ(to_histogram(Spread(figures)),
              "  up to  5.00 ms   1000  ########################################\n"
              "  up to  10.0 ms      0\n"
              "  up to  20.0 ms      0\n"
              "  up to  50.0 ms      1  #\n");
    EXPECT_EQ(to_line(Spread(figures)),
              "min 4.00 ms, p50 4.00 ms, p90 4.00 ms, p99 4.00 ms, max 30.0 ms");
}

}  // namespace
}  // namespace understudy::apps
