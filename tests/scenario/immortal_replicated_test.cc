// As immortal_test.cc, with three copies of each bank on a replicated journal.

#include <gtest/gtest.h>

#include "raft/raft_core.h"
#include "tests/scenario/immortal_stage.h"

namespace understudy::scenario {
namespace {

TEST(Immortals, ExactlyOnceUnderKillsOfThreeCopiesOnAReplicatedJournal) {
    for (std::uint64_t seed = 301; seed <= 306; ++seed) {
        const BankOutcome outcome = run_banks({.seed = seed,
                                               .journal = BankJournal::replicated,
                                               .copies = 3,
                                               .clients = 2,
                                               .hangs_and_cuts = seed % 2 == 0,
                                               .make_core = raft::make_core});
        for (const std::string& violation : outcome.violations) {
            ADD_FAILURE() << "seed " << seed << ": " << violation;
        }
        ASSERT_FALSE(testing::Test::HasFailure()) << outcome.tail;
        EXPECT_EQ(outcome.transfers, bank_names.size() * Bank::transfers_max);
    }
}

}  // namespace
}  // namespace understudy::scenario
