// A registry that believes its backup takes the role from its holder, and the test notices it.
// Built with planted bugs.

#include <gtest/gtest.h>

#include "base/plant.h"
#include "tests/scenario/old_backup.h"

namespace understudy::scenario {
namespace {

[[nodiscard]] bool holder_is_left_alone(std::uint64_t seed) {
    OldBackup old(seed, seed % 2 == 0);
    old.registry->restart();
    EXPECT_TRUE(old.stage.until(
        [&] { return old.stage.registry().serving && old.stage.line().size() == 2; }));
    old.stage.world.run_for(5s);
    return old.stage.active() == "Bar2" && old.bar2->app<MemberApp>().heard.size() == 2;
}

TEST(RegistryPlants, ABackupThatIsBelievedIsFound) {
    std::size_t lost = 0;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        EXPECT_TRUE(holder_is_left_alone(seed)) << seed;
        plant(Plant::backup_believed);
        lost += holder_is_left_alone(seed) ? 0 : 1;
        plant(Plant::none);
    }
    EXPECT_GT(lost, 0U);
}

}  // namespace
}  // namespace understudy::scenario
