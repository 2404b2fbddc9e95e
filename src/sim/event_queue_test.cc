#include "sim/event_queue.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy::sim {
namespace {

TimePoint at(int ms) { return TimePoint{} + ms * 1ms; }

TEST(EventQueue, CallsComeInTheOrderOfTheirTimes) {
    EventQueue queue;
    std::vector<int> called;
    for (const int ms : {5, 1, 4, 2, 3}) {
        queue.schedule(at(ms), [&called, ms] { called.push_back(ms); });
    }

    while (!queue.empty()) queue.take()();

    EXPECT_EQ(called, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(EventQueue, CallsOfOneInstantComeInTheOrderTheyWereAskedFor) {
    EventQueue queue;
    std::vector<int> called;
    for (int i = 0; i < 100; ++i) queue.schedule(at(7), [&called, i] { called.push_back(i); });

    while (!queue.empty()) queue.take()();

    for (int i = 0; i < 100; ++i) EXPECT_EQ(called[static_cast<std::size_t>(i)], i);
}

TEST(EventQueue, ACancelledCallLeavesAtOnce) {
    EventQueue queue;
    bool called = false;
    const EventQueue::Id id = queue.schedule(at(1), [&called] { called = true; });

    queue.cancel(id);

    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(called);
}

TEST(EventQueue, CancellingTwiceOrAfterTheCallDoesNotTouchTheSlotsNextOwner) {
    EventQueue queue;
    const EventQueue::Id first = queue.schedule(at(1), [] {});
    queue.take()();
    int called = 0;
    queue.schedule(at(2), [&called] { ++called; });  // Takes the free slot.

    queue.cancel(first);
    queue.cancel(EventQueue::Id{});
    queue.take()();

    EXPECT_EQ(called, 1);
}

// A cancelled task may own the handle of another call, and cancel that call when it is destroyed.
TEST(EventQueue, ADyingTaskMayCancelAnotherCall) {
    struct CancelsAtDeath {
        CancelsAtDeath(EventQueue& in, EventQueue::Id what) : queue(in), other(what) {}
        ~CancelsAtDeath() { queue.cancel(other); }
        EventQueue& queue;
        EventQueue::Id other;
    };
    EventQueue queue;
    const EventQueue::Id other = queue.schedule(at(1), [] {});
    auto owner = std::make_shared<CancelsAtDeath>(queue, other);
    const EventQueue::Id id = queue.schedule(at(2), [held = owner] {});
    std::weak_ptr<CancelsAtDeath> left = owner;
    owner.reset();

    queue.cancel(id);

    EXPECT_TRUE(left.expired());
    EXPECT_TRUE(queue.empty());
}

// Compared with a simple second version: a map from (time, age) to number.
TEST(EventQueue, BehavesAsASortedMapUnderRandomUse) {
    Random random(7);
    EventQueue queue;
    std::map<std::pair<TimePoint, int>, EventQueue::Id> expected;
    int called = -1;
    for (int i = 0; i < 20'000; ++i) {
        const auto choice = random.below(5);
        if (choice < 3) {
            const TimePoint when = at(static_cast<int>(random.below(500)));
            expected[{when, i}] = queue.schedule(when, [&called, i] { called = i; });
        } else if (choice == 3 && !expected.empty()) {
            auto victim = expected.begin();
            std::advance(victim, random.below(expected.size()));
            queue.cancel(victim->second);
            expected.erase(victim);
        } else if (!expected.empty()) {
            ASSERT_EQ(queue.next_at(), expected.begin()->first.first);
            queue.take()();
            ASSERT_EQ(called, expected.begin()->first.second) << "in turn " << i;
            expected.erase(expected.begin());
        }
        ASSERT_EQ(queue.size(), expected.size());
    }
}

}  // namespace
}  // namespace understudy::sim
