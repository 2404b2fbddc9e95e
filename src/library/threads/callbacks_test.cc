#include "library/threads/callbacks.h"

#include <atomic>
#include <stdexcept>

#include <gtest/gtest.h>

#include "library/platform_test.h"
#include "library/threads/clock.h"
#include "library/threads/listeners.h"

namespace understudy::library {
namespace {

/// Counts what was logged as an error.
class CountingLog final : public Log {
public:
    void write(LogLevel level, std::string_view, std::initializer_list<LogField>) override {
        if (level == LogLevel::error) ++errors;
    }
    std::atomic<int> errors{0};
};

TEST(Callbacks, WhatATaskThrowsIsLoggedAndTheNextOneRuns) {
    const auto log = std::make_shared<CountingLog>();
    Callbacks callbacks(log, "test");
    Heard<int> heard;
    callbacks.post([] { throw std::runtime_error("no"); });
    callbacks.post([] { throw 3; });
    callbacks.post([&] { heard.add(1); });
    heard.wait_for(1);
    EXPECT_EQ(log->errors, 2);
}

TEST(Callbacks, RunInOrderOnOneThreadThatKnowsItself) {
    Callbacks callbacks(std::make_shared<NullLog>(), "test");
    Heard<int> heard;
    EXPECT_FALSE(callbacks.on_thread());
    for (int i = 0; i < 1000; ++i) {
        callbacks.post([&, i] { heard.add(callbacks.on_thread() ? i : -1); });
    }
    const auto all = heard.wait_for(1000);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
}

TEST(Callbacks, ClosingRunsWhatWasPostedAndTakesNothingMore) {
    Callbacks callbacks(std::make_shared<NullLog>(), "test");
    std::atomic<int> ran{0};
    for (int i = 0; i < 100; ++i) callbacks.post([&] { ++ran; });
    callbacks.close(soon());
    EXPECT_EQ(ran, 100);
    EXPECT_FALSE(callbacks.post([&] { ++ran; }));
    callbacks.close(soon());
}

TEST(Callbacks, ATaskMayCloseItsOwnThreadAndThenRunsTheOthersItself) {
    auto callbacks = std::make_unique<Callbacks>(std::make_shared<NullLog>(), "test");
    Heard<int> heard;
    Door door;
    callbacks->post([&] {
        door.pass();
        callbacks->close(soon());
        callbacks.reset();
        heard.add(2);
    });
    callbacks->post([&] { heard.add(1); });
    door.open();
    EXPECT_EQ(heard.wait_for(2), (std::vector<int>{1, 2}));
}

TEST(Callbacks, AStuckTaskKeepsNobodyBeyondTheDeadline) {
    const Door door;
    auto late = std::make_shared<std::atomic<int>>(0);
    const Heard<int> over;
    {
        Callbacks callbacks(std::make_shared<NullLog>(), "test");
        // A callback that is stuck holds the objects that it needs; the callbacks do not wait for
        // it.
        callbacks.post([door, over] {
            over.add(0);
            door.pass();
            over.add(1);
        });
        over.wait_for(1);
        callbacks.post([late] { ++*late; });
        callbacks.close(clock_now() + 10ms);
    }
    door.open();
    over.wait_for(2);
    EXPECT_EQ(*late, 0);  // It was dropped.
}

TEST(CallbackThread, ServesSeveralInTheOrderOfTheirPosts) {
    const auto thread = std::make_shared<CallbackThread>("test");
    Callbacks one(std::make_shared<NullLog>(), thread);
    Callbacks other(std::make_shared<NullLog>(), thread);
    thread->leave(soon());
    Heard<int> heard;
    for (int i = 0; i < 1000; ++i) (i % 3 == 0 ? one : other).post([&, i] { heard.add(i); });
    const auto all = heard.wait_for(1000);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
    EXPECT_FALSE(one.on_thread());
    one.close(soon());
    EXPECT_FALSE(one.post([] {}));
    EXPECT_TRUE(other.post([&] { heard.add(other.on_thread() && one.on_thread() ? 1 : 0); }));
    EXPECT_EQ(heard.wait_for(1001).back(), 1);
}

// One is closed by a task of the other, and runs its own tasks before all others.
TEST(CallbackThread, ATaskMayCloseOthersThatWaitOnTheSameThread) {
    const auto thread = std::make_shared<CallbackThread>("test");
    auto one = std::make_unique<Callbacks>(std::make_shared<NullLog>(), thread);
    auto other = std::make_unique<Callbacks>(std::make_shared<NullLog>(), thread);
    thread->leave(soon());
    Heard<int> heard;
    Door door;
    one->post([&] {
        door.pass();
        other->close(soon());
        other.reset();
        heard.add(2);
    });
    one->post([&] {
        heard.add(3);
        one->close(soon());
        one.reset();
        heard.add(5);
    });
    other->post([&] { heard.add(1); });
    one->post([&] { heard.add(4); });
    door.open();
    EXPECT_EQ(heard.wait_for(5), (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(CallbackThread, AStuckTaskOfOneKeepsAnotherNoLongerThanItsDeadline) {
    const auto thread = std::make_shared<CallbackThread>("test");
    Callbacks stuck(std::make_shared<NullLog>(), thread);
    Callbacks other(std::make_shared<NullLog>(), thread);
    thread->leave(soon());
    Door door;
    Heard<int> heard;
    std::atomic<int> late{0};
    stuck.post([&] { door.pass(); });
    other.post([&] { ++late; });
    other.close(clock_now() + 10ms);
    stuck.post([&] { heard.add(1); });
    door.open();
    heard.wait_for(1);
    EXPECT_EQ(late, 0);
    stuck.close(soon());
}

TEST(Listeners, HearTheStateFirstAndThenItsChanges) {
    const auto callbacks = std::make_shared<Callbacks>(std::make_shared<NullLog>(), "test");
    Listeners<int> listeners(callbacks, "test", 8);
    Heard<int> early;
    Heard<int> late;
    listeners.add([&](int value) { early.add(value); });
    listeners.tell(1);
    listeners.tell(2);
    early.wait_for(2);
    listeners.add([&](int value) { late.add(value); });
    listeners.tell(3);
    EXPECT_EQ(early.wait_for(3), (std::vector<int>{1, 2, 3}));
    EXPECT_EQ(late.wait_for(2), (std::vector<int>{2, 3}));
    listeners.close();
    listeners.tell(4);
    callbacks->close(soon());
    EXPECT_EQ(early.so_far().size(), 3U);
}

TEST(Listeners, ASlowOneMissesTheOldestChangesAndNeverTheLast) {
    const auto callbacks = std::make_shared<Callbacks>(std::make_shared<NullLog>(), "test");
    Listeners<int> listeners(callbacks, "test", 2);
    Heard<int> heard;
    Door door;
    callbacks->post([&] { door.pass(); });
    listeners.add([&](int value) { heard.add(value); });
    for (int i = 1; i <= 100; ++i) listeners.tell(i);
    door.open();
    EXPECT_EQ(heard.wait_for_last(100), (std::vector<int>{99, 100}));
    callbacks->close(soon());
}

TEST(Listeners, OneThatThrowsKeepsNobodyElseFromHearing) {
    const auto callbacks = std::make_shared<Callbacks>(std::make_shared<NullLog>(), "test");
    ListenersByName<int> listeners(callbacks, "test", [](const int& value) { return value == 0; });
    Heard<std::string> heard;
    listeners.add([](const std::string&, const int*, int) { throw std::runtime_error("no"); });
    listeners.add([&](const std::string& name, const int* previous, int now) {
        heard.add(name + ":" + (previous == nullptr ? "-" : std::to_string(*previous)) + ":" +
                  std::to_string(now));
    });
    listeners.tell("a", 1);
    heard.wait_for(1);
    listeners.tell("a", 0);
    heard.wait_for(2);
    listeners.tell("a", 2);
    EXPECT_EQ(heard.wait_for(3), (std::vector<std::string>{"a:-:1", "a:1:0", "a:-:2"}));
    callbacks->close(soon());
}

}  // namespace
}  // namespace understudy::library
