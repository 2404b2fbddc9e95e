#include "replicated/group/kept_checkpoints.h"

#include <gtest/gtest.h>

namespace understudy::replicated {
namespace {

using Indexes = std::vector<Index>;

TEST(KeptCheckpoints, TheOneThatCountsAndTheOneBeforeItStay) {
    KeptCheckpoints kept;
    kept.reset({Index{30}, Index{10}, Index{20}, Index{20}});
    EXPECT_EQ(kept.take_superfluous(Index{30}), Indexes{Index{10}});
    EXPECT_EQ(kept.take_superfluous(Index{30}), Indexes{}) << "it was taken";
    kept.add(Index{40});
    EXPECT_EQ(kept.take_superfluous(Index{40}), Indexes{Index{20}});
}

TEST(KeptCheckpoints, NewerOnesThatDoNotCountTakeNoPlace) {
    KeptCheckpoints kept;
    kept.reset({Index{10}, Index{20}, Index{30}, Index{40}});
    EXPECT_EQ(kept.take_superfluous(Index{20}), Indexes{});
    EXPECT_EQ(kept.take_superfluous(Index{40}), (Indexes{Index{10}, Index{20}}));
}

}  // namespace
}  // namespace understudy::replicated
