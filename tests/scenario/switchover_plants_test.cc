// Each rule of the registry for a service with a journal is broken on purpose; the oracle, which
// sees the platform from outside, must notice it.
//
// Method: as immortal_plants_test.cc.

#include <cstdint>
#include <cstdio>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/plant.h"
#include "tests/scenario/plants_test.h"
#include "tests/scenario/switchover_stage.h"

namespace understudy::scenario {
namespace {


struct SwitchoverCase {
    const char* name;
    Plant plant;
    std::size_t copies = 3;
    std::uint64_t seeds = 60;
};

SwitchoverPlan plan_of(const SwitchoverCase& bug, std::uint64_t seed) {
    return {.seed = seed, .copies = bug.copies, .clients = 1, .intents = 20};
}

class PlantedInRegistry : public testing::TestWithParam<SwitchoverCase> {};

TEST_P(PlantedInRegistry, IsFound) {
    const SwitchoverCase& bug = GetParam();
    std::fflush(nullptr);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        plant(bug.plant);
        for (std::uint64_t seed = 1; seed <= bug.seeds; ++seed) {
            const SwitchoverOutcome outcome = run_switchovers(plan_of(bug, seed));
            if (outcome.violations.empty()) continue;
            std::printf("%s: seed %llu: %s\n", bug.name, static_cast<unsigned long long>(seed),
                        outcome.violations.front().substr(0, 160).c_str());
            std::fflush(stdout);
            plant(Plant::none);
            const bool good = run_switchovers(plan_of(bug, seed)).violations.empty();
            _exit(good ? found_code : also_without_code);
        }
        _exit(not_found_code);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == found_code)
        << bug.name << " is not found, status " << status;
}

INSTANTIATE_TEST_SUITE_P(
    Journaled, PlantedInRegistry,
    testing::Values(SwitchoverCase{"checkpointer_elected", Plant::checkpointer_elected},
                    SwitchoverCase{"start_order_ignored", Plant::start_order_ignored},
                    SwitchoverCase{"two_designated", Plant::two_designated},
                    SwitchoverCase{"stale_report_believed", Plant::stale_report_believed},
                    SwitchoverCase{"giver_keeps_place", Plant::giver_keeps_place, 4}),
    [](const testing::TestParamInfo<SwitchoverCase>& bug) { return std::string(bug.param.name); });

}  // namespace
}  // namespace understudy::scenario
