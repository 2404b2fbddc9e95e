// Two and three members keep the promises of docs/protocols/fencing.md at every disk call.
#include <cstdint>

#include <gtest/gtest.h>

#include "journal/shared/shared_histories_test.h"

namespace understudy::journal {
namespace {

class SharedHistory : public testing::TestWithParam<int> {};

TEST_P(SharedHistory, LosesNothingAcknowledgedWhereverSomebodyStops) {
    HistoryOptions options;
    options.group = GetParam();
    const auto faults = faults_in_histories(options);
    RecordProperty("histories", static_cast<int>(histories_seen()));
    EXPECT_GT(histories_seen(), 20U);
    EXPECT_TRUE(faults.empty()) << faults.size() << " faults, the first: " << faults.front();
}

INSTANTIATE_TEST_SUITE_P(Groups, SharedHistory, testing::Range(0, history_groups));

TEST(SharedHistories, NothingAcknowledgedIsLostWhateverHappens) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        const auto faults = faults_in_random_history(seed);
        ASSERT_TRUE(faults.empty())
            << "seed " << seed << ", " << faults.size() << " faults, the first: " << faults.front();
    }
}

}  // namespace
}  // namespace understudy::journal
