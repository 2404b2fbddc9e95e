// Switchovers of an immortal on a journal, requested repeatedly while clients call it. Then the
// same while processes are killed, hang, are cut off, or all are stopped.
//
// Method: three copies as in the library, with a registry. Clients that keep their sessions notice
// an error, a lost call, or a call that was carried out twice. An oracle checks the registry's
// designations from outside.

#include <cstdio>

#include <gtest/gtest.h>

#include "tests/scenario/switchover_stage.h"

namespace understudy::scenario {
namespace {

void expect_good(const SwitchoverOutcome& outcome, std::uint64_t seed) {
    for (const std::string& violation : outcome.violations) {
        ADD_FAILURE() << "seed " << seed << ": " << violation;
    }
}

double ms(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

class Switchovers : public testing::TestWithParam<bool> {};

TEST_P(Switchovers, ClientsNoticeNoMoreThanAPause) {
    const SwitchoverOutcome outcome =
        run_switchovers({.replicated = GetParam(), .lasts = 2s, .harm = false});
    expect_good(outcome, 1);
    for (const std::string& refusal : outcome.refusals) {
        EXPECT_TRUE(refusal.ends_with("is active already") ||
                    refusal.ends_with("is the checkpointer, and last_resort = never"))
            << refusal;
    }
    EXPECT_GT(outcome.done, 10u);
    std::printf("%llu of %llu switchovers, longest wait of a call %.3f ms (simulated)\n",
                static_cast<unsigned long long>(outcome.done),
                static_cast<unsigned long long>(outcome.asked), ms(outcome.stall));
}

TEST_P(Switchovers, NothingIsLostOrDoubledWhateverFailsMeanwhile) {
    SwitchoverOutcome all;
    const std::uint64_t first = GetParam() ? 500 : 100;
    for (std::uint64_t seed = first; seed < first + 8; ++seed) {
        const SwitchoverOutcome outcome =
            run_switchovers({.seed = seed, .replicated = GetParam()});
        expect_good(outcome, seed);
        ASSERT_FALSE(testing::Test::HasFailure()) << outcome.tail;
        all.done += outcome.done;
        all.asked += outcome.asked;
        all.harmed += outcome.harmed;
        all.refusals.insert(outcome.refusals.begin(), outcome.refusals.end());
    }
    EXPECT_GT(all.done, 10u);
    EXPECT_GT(all.harmed, 50u);
    for (const std::string& refusal : all.refusals) std::printf("  %s\n", refusal.c_str());
}

// For long runs by hand: --gtest_also_run_disabled_tests.
TEST_P(Switchovers, DISABLED_NothingIsLostOrDoubledForManySeeds) {
    for (std::uint64_t seed = 1'000; seed < 1'200; ++seed) {
        const SwitchoverOutcome outcome = run_switchovers(
            {.seed = seed, .replicated = GetParam(), .clients = 1 + seed % 4, .lasts = 6s});
        expect_good(outcome, seed);
        ASSERT_FALSE(testing::Test::HasFailure()) << outcome.tail;
    }
}

INSTANTIATE_TEST_SUITE_P(Journals, Switchovers, testing::Values(false, true),
                         [](const testing::TestParamInfo<bool>& kind) {
                             return std::string(kind.param ? "Replicated" : "SharedDirectory");
                         });

}  // namespace
}  // namespace understudy::scenario
