// What docs/protocols/fencing.md promises, kept by two and three members at every disk call.
#include <gtest/gtest.h>

#include "journal/shared_histories_test.h"

namespace understudy::journal {
namespace {

TEST(SharedHistories, NothingAcknowledgedIsLostWhereverSomebodyStops) {
    const auto faults = faults_in_histories({});
    RecordProperty("histories", static_cast<int>(histories_seen()));
    EXPECT_GT(histories_seen(), 500U);
    EXPECT_TRUE(faults.empty()) << faults.size() << " faults, the first: " << faults.front();
}

TEST(SharedHistories, NothingAcknowledgedIsLostWhateverHappens) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        const auto faults = faults_in_random_history(seed);
        ASSERT_TRUE(faults.empty()) << "seed " << seed << ", " << faults.size()
                                    << " faults, the first: " << faults.front();
    }
}

}  // namespace
}  // namespace understudy::journal
