// Immortals that call each other and themselves, with timers and random numbers, and clients that
// keep their sessions, while any process is killed at any time.
//
// Method: three banks move money and notice what is lost, doubled or out of order. At rest, the sum
// of all balances is unchanged. Every copy's state after every entry, and that of every replay, is
// compared with the others. Clients count answers, which are all different exactly if each call was
// carried out once.

#include <gtest/gtest.h>

#include "tests/scenario/immortal_stage.h"

namespace understudy::scenario {
namespace {

void expect_good(const BankOutcome& outcome, std::uint64_t seed) {
    for (const std::string& violation : outcome.violations) {
        ADD_FAILURE() << "seed " << seed << ": " << violation;
    }
    EXPECT_EQ(outcome.transfers, bank_names.size() * Bank::transfers_max) << "seed " << seed;
}

TEST(Immortals, CallEachOtherAndComeToRest) {
    const BankOutcome outcome = run_banks({.clients = 3, .kills = false});

    expect_good(outcome, 1);
    EXPECT_EQ(outcome.hits, 180u);
    EXPECT_GT(outcome.compared, 0u);
}

TEST(Immortals, SameSeedGivesTheSameRun) {
    const BankPlan plan{.seed = 77, .journal = BankJournal::shared, .copies = 2, .chaos = 1s};
    EXPECT_EQ(run_banks(plan).trace_hash, run_banks(plan).trace_hash);
}

TEST(Immortals, ExactlyOnceUnderKillsOfSingleCopies) {
    BankOutcome all;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        const BankOutcome outcome = run_banks({.seed = seed, .clients = 2});
        expect_good(outcome, seed);
        ASSERT_FALSE(testing::Test::HasFailure()) << outcome.tail;
        all.kills += outcome.kills;
        all.resumed += outcome.resumed;
        all.compared += outcome.compared;
    }
    EXPECT_GT(all.kills, 300u);
    EXPECT_GT(all.resumed, 30u);
    EXPECT_GT(all.compared, 100u);
}

TEST(Immortals, ExactlyOnceUnderKillsOfTwoCopiesOnASharedDirectory) {
    for (std::uint64_t seed = 101; seed <= 112; ++seed) {
        const BankOutcome outcome = run_banks(
            {.seed = seed, .journal = BankJournal::shared, .copies = 2, .clients = 2});
        expect_good(outcome, seed);
        ASSERT_FALSE(testing::Test::HasFailure()) << outcome.tail;
    }
}

TEST(Immortals, ExactlyOnceUnderKillsOfThreeCopiesOnASharedDirectory) {
    for (std::uint64_t seed = 201; seed <= 208; ++seed) {
        const BankOutcome outcome = run_banks(
            {.seed = seed, .journal = BankJournal::shared, .copies = 3, .clients = 2});
        expect_good(outcome, seed);
        ASSERT_FALSE(testing::Test::HasFailure()) << outcome.tail;
    }
}

TEST(Immortals, ExactlyOnceUnderHangsAndCuts) {
    for (std::uint64_t seed = 401; seed <= 412; ++seed) {
        const bool shared = seed % 2 == 0;
        const BankOutcome outcome =
            run_banks({.seed = seed,
                       .journal = shared ? BankJournal::shared : BankJournal::local,
                       .copies = shared ? std::size_t{3} : std::size_t{1},
                       .clients = 2,
                       .hangs_and_cuts = true});
        expect_good(outcome, seed);
        ASSERT_FALSE(testing::Test::HasFailure()) << outcome.tail;
    }
}

// For long runs by hand: --gtest_also_run_disabled_tests.
TEST(Immortals, DISABLED_ExactlyOnceForManySeeds) {
    for (std::uint64_t seed = 1'000; seed < 2'000; ++seed) {
        const bool shared = seed % 2 == 0;
        const BankPlan plan{.seed = seed,
                            .journal = shared ? BankJournal::shared : BankJournal::local,
                            .copies = shared ? 1 + seed % 4 : 1,
                            .clients = 1 + seed % 5,
                            .chaos = 5s,
                            .hangs_and_cuts = seed % 3 == 0,
                            .slow_disk = seed % 7 == 0};
        const BankOutcome outcome = run_banks(plan);
        expect_good(outcome, seed);
        ASSERT_FALSE(testing::Test::HasFailure()) << outcome.tail;
    }
}

}  // namespace
}  // namespace understudy::scenario
