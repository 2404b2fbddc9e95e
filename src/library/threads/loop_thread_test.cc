#include "library/threads/loop_thread.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "library/platform_test.h"
#include "library/threads/clock.h"

namespace understudy::library {
namespace {

TEST(LoopThread, WhatIsPostedAfterTheEndIsDroppedAndNobodyWaitsForIt) {
    LoopThread loop(std::make_shared<NullLog>(), "test");
    loop.stop();
    ASSERT_TRUE(loop.join(soon()));
    EXPECT_FALSE(loop.post([] {}));
    EXPECT_FALSE(loop.run([] {}));
    Once<int> answer;
    EXPECT_EQ(loop.await([] {}, answer, soon()), std::nullopt);
}

TEST(LoopThread, OneThatWaitsForATaskThatNeverRunsIsTold) {
    LoopThread loop(std::make_shared<NullLog>(), "test");
    Door door;
    Heard<bool> ran;
    loop.post([&] {
        door.pass();
        loop.stop();
    });
    std::thread waiting([&] { ran.add(loop.run([] {})); });
    door.open();
    (void)loop.join(soon());
    ran.wait_for(1);
    waiting.join();
}

TEST(LoopThread, AStuckTaskKeepsNobodyBeyondTheDeadline) {
    const Door door;
    const Heard<int> heard;
    {
        LoopThread loop(std::make_shared<NullLog>(), "test");
        loop.post([door, heard] {
            heard.add(1);
            door.pass();
            heard.add(2);
        });
        heard.wait_for(1);
        loop.stop();
        EXPECT_FALSE(loop.join(clock_now() + 10ms));
    }
    door.open();
    heard.wait_for(2);
}

TEST(LoopThread, KnowsWhoRunsIt) {
    LoopThread loop(std::make_shared<NullLog>(), "test");
    EXPECT_FALSE(loop.on_loop());
    bool inside = false;
    ASSERT_TRUE(loop.run([&] {
        inside = loop.on_loop();
        ASSERT_TRUE(loop.run([&] { inside = inside && loop.on_loop(); }));
    }));
    EXPECT_TRUE(inside);
    EXPECT_FALSE(loop.on_loop());
}

TEST(LoopThread, ADeadlineEndsTheWaitingAndTheLoopGoesOn) {
    LoopThread loop(std::make_shared<NullLog>(), "test");
    const auto never = std::make_shared<Once<int>>();
    EXPECT_EQ(loop.await([] {}, *never, clock_now() + 5ms), std::nullopt);
    Heard<int> heard;
    loop.post([&] { heard.add(1); });
    heard.wait_for(1);
}

// The calls come one at a time, so that the waiting thread has the seat, with timers and other
// threads' tasks in between. Each must be handled.
TEST(LoopThread, NothingIsOverlookedWhileTheSeatChangesHands) {
    LoopThread loop(std::make_shared<NullLog>(), "test");
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> posted{0};
    std::thread other([&] {
        while (!over.load()) {
            const auto ran = std::make_shared<Once<bool>>();
            loop.post([ran] { ran->set(true); });
            ASSERT_TRUE(ran->wait_until(soon()));
            ++posted;
        }
    });
    std::unique_ptr<Timer> timer;
    for (int i = 0; i < 2000; ++i) {
        const auto answer = std::make_shared<Once<int>>();
        const auto came = loop.await(
            [&, answer, i] {
                if (i % 3 != 0) return answer->set(i);
                timer = loop.runtime().at(loop.runtime().now() + 10us * (i % 20),
                                          [answer, i] { answer->set(i); });
            },
            *answer, soon());
        ASSERT_EQ(came, i);
    }
    over.store(true);
    other.join();
    EXPECT_GT(posted.load(), 0U);
    (void)loop.run([&] { timer.reset(); });
}

TEST(LoopThread, ManyMayWaitAtOnce) {
    LoopThread loop(std::make_shared<NullLog>(), "test");
    std::vector<std::thread> threads;
    std::atomic<int> answered{0};
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 300; ++i) {
                const auto answer = std::make_shared<Once<int>>();
                const auto came = loop.await(
                    [&loop, answer, i] { loop.post([answer, i] { answer->set(i); }); }, *answer,
                    soon());
                if (came == i) ++answered;
                if (t == 0 && i % 50 == 0) std::this_thread::yield();
            }
        });
    }
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(answered, 8 * 300);
}

TEST(Once, TheFirstValueCountsAndATimeoutGivesNone) {
    Once<int> once;
    EXPECT_EQ(once.wait_until(clock_now() + 1ms), std::nullopt);
    Once<int> other;
    other.set(1);
    other.set(2);
    EXPECT_EQ(other.wait_until(soon()), 1);
}

}  // namespace
}  // namespace understudy::library
