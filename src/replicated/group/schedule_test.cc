#include "replicated/group/schedule.h"

#include <gtest/gtest.h>

#include "replicated/group/part_fixture_test.h"

namespace understudy::replicated {
namespace {

class ScheduleTest : public PartTest {
protected:
    static constexpr Duration heartbeat = 50ms;

    FakeOwner owner;
    Schedule schedule{runtime, heartbeat, owner};
};

TEST_F(ScheduleTest, OneTurnComesHoweverOftenItIsAskedFor) {
    schedule.turn();
    schedule.turn();
    EXPECT_TRUE(owner.take().empty()) << "not within the call";
    runtime.settle();
    EXPECT_EQ(owner.take(), std::vector<std::string>{"turn"});
    schedule.turn();
    runtime.settle();
    EXPECT_EQ(owner.take(), std::vector<std::string>{"turn"});
}

TEST_F(ScheduleTest, TheSoonerOfDeadlineAndTendingWakesIt) {
    schedule.tend_soon();
    schedule.arm(runtime.now() + 20ms);
    runtime.advance(20ms);
    EXPECT_EQ(owner.take(), std::vector<std::string>{"woken"});
    EXPECT_FALSE(schedule.tending_is_due());
    schedule.arm(TimePoint::max());
    runtime.advance(30ms);
    EXPECT_EQ(owner.take(), std::vector<std::string>{"woken"});
    EXPECT_TRUE(schedule.tending_is_due());
    EXPECT_FALSE(schedule.tending_is_due()) << "it has to be asked for again";
}

TEST_F(ScheduleTest, ALaterDeadlineDoesNotMoveTheTimer) {
    schedule.arm(runtime.now() + 20ms);
    schedule.arm(runtime.now() + 40ms);
    runtime.advance(20ms);
    EXPECT_EQ(owner.take(), std::vector<std::string>{"woken"});
}

TEST_F(ScheduleTest, NothingRunsOnceItHasEnded) {
    int ran = 0;
    schedule.turn();
    schedule.later([&] { ++ran; });
    schedule.when_short([&] { ++ran; });
    schedule.arm(runtime.now() + 20ms);
    schedule.end();
    runtime.advance(1s);
    EXPECT_EQ(ran, 0);
    EXPECT_TRUE(owner.take().empty());
}

TEST_F(ScheduleTest, AShortageIsWaitedForUnlessTheGroupEnds) {
    int ran = 0;
    schedule.when_short([&] { ++ran; });
    runtime.settle();
    EXPECT_EQ(ran, 0);
    runtime.advance(1s);
    EXPECT_EQ(ran, 1);
    schedule.when_short([&] { ++ran; });
    owner.has_ended = true;
    runtime.advance(1s);
    EXPECT_EQ(ran, 1);
}

}  // namespace
}  // namespace understudy::replicated
