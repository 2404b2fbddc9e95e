// Each rule on which exactly-once execution rests is broken on purpose; the banks must notice it.
//
// Method: seeds are run with one planted bug until a promise is broken. This happens in a separate
// process, because an assertion may be what fails. Without the bug the same seed must pass.

#include <cstdint>
#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/plant.h"
#include "tests/scenario/immortal_stage.h"
#include "tests/scenario/plants_test.h"

namespace understudy::scenario {
namespace {


struct Case {
    const char* name;
    Plant plant;
    BankPlan plan;
    std::uint64_t seeds = 40;
};

BankPlan with_seed(BankPlan plan, std::uint64_t seed) {
    plan.seed = seed;
    return plan;
}

class Planted : public testing::TestWithParam<Case> {};

TEST_P(Planted, IsFound) {
    const Case& bug = GetParam();
    std::fflush(nullptr);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        plant(bug.plant);
        for (std::uint64_t seed = 1; seed <= bug.seeds; ++seed) {
            const BankOutcome outcome = run_banks(with_seed(bug.plan, seed));
            if (outcome.violations.empty()) continue;
            std::printf("%s: seed %llu: %s\n", bug.name, static_cast<unsigned long long>(seed),
                        outcome.violations.front().substr(0, 160).c_str());
            std::fflush(stdout);
            plant(Plant::none);
            const bool good = run_banks(with_seed(bug.plan, seed)).violations.empty();
            _exit(good ? found_code : also_without_code);
        }
        _exit(not_found_code);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    const bool found = WIFEXITED(status) && WEXITSTATUS(status) == found_code;
    const bool asserted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    EXPECT_TRUE(found || asserted) << bug.name << " is not found, status " << status;
}

const BankPlan alone{.clients = 2, .chaos = 3s};

INSTANTIATE_TEST_SUITE_P(
    Immortals, Planted,
    testing::Values(
        Case{"watermarks_not_in_checkpoint", Plant::watermarks_not_in_checkpoint, alone},
        Case{"repeated_message_taken", Plant::repeated_message_taken, alone},
        Case{"renumbered_by_recovery", Plant::renumbered_by_recovery, alone},
        Case{"trimmed_when_sent", Plant::trimmed_when_sent, alone},
        Case{"stale_link_taken", Plant::stale_link_taken,
             {.clients = 6, .chaos = 6s, .slow_disk = true},
             120},
        Case{"told_before_durable", Plant::told_before_durable, alone}),
    [](const testing::TestParamInfo<Case>& bug) { return std::string(bug.param.name); });

}  // namespace
}  // namespace understudy::scenario
