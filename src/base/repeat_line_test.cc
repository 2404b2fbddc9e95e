#include "base/repeat_line_test.h"

#include <csignal>
#include <string>

#include <gtest/gtest.h>

#include "understudy/result.h"

namespace understudy {
namespace {

TEST(RepeatLineDeathTest, ABrokenExpectationIsFollowedByWhatRepeatsTheRun) {
    EXPECT_DEATH(
        {
            const RepeatLine line("REPRO program --seed=7");
            US_ASSERT(1 == 2);
        },
        "broken expectation: 1 == 2\nREPRO program --seed=7\n");
}

TEST(RepeatLineDeathTest, SoIsASignal) {
    EXPECT_EXIT(
        {
            const RepeatLine line("REPRO program --seed=8");
            static_cast<void>(std::raise(SIGFPE));
        },
        [](int status) { return status != 0; }, "REPRO program --seed=8\n");
}

TEST(RepeatLineDeathTest, TheOuterOneCountsAndOnlyWhileItLives) {
    EXPECT_DEATH(
        {
            const RepeatLine outer("outer");
            const RepeatLine inner("inner");
            US_ASSERT(1 == 2);
        },
        "outer\n$");
    EXPECT_DEATH(
        {
            { const RepeatLine over("over"); }
            const RepeatLine line("under way");
            US_ASSERT(1 == 2);
        },
        "1 == 2\nunder way\n");
}

TEST(RepeatLineDeathTest, ALineThatIsTooLongIsCut) {
    EXPECT_DEATH(
        {
            const RepeatLine line(std::string(10'000, 'x'));
            US_ASSERT(1 == 2);
        },
        "xxx\n");
}

}  // namespace
}  // namespace understudy
