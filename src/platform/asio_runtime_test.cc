#include "platform/asio_runtime.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

#include <gtest/gtest.h>

#include "platform/machine/limits.h"
#include "platform/machine/signals.h"

namespace understudy::platform {
namespace {

class AsioRuntimeTest : public testing::Test {
protected:
    NullLog log_;
    AsioRuntime runtime_{log_};
};

TEST_F(AsioRuntimeTest, StopBeforeRunIsRemembered) {
    runtime_.stop();
    runtime_.run();
    EXPECT_FALSE(runtime_.poll());
}

TEST_F(AsioRuntimeTest, PollDoesNotWaitAndSaysWhetherThereWasAnything) {
    EXPECT_FALSE(runtime_.poll());
    runtime_.post([] {});
    EXPECT_TRUE(runtime_.poll());
    EXPECT_FALSE(runtime_.poll());
    EXPECT_FALSE(runtime_.poll_for(1ms));
}

// Tasks that never end do not block a caller of poll() for ever.
TEST_F(AsioRuntimeTest, PollReturnsThoughThereIsAlwaysMore) {
    int ran = 0;
    std::function<void()> again = [&] {
        ++ran;
        runtime_.post(again);
    };
    runtime_.post(again);

    EXPECT_TRUE(runtime_.poll());
    EXPECT_GT(ran, 0);
}

TEST_F(AsioRuntimeTest, ATimerThatIsAlwaysDueLeavesRoomForOthers) {
    constexpr int rounds_max = 1000;
    int rounds = 0;
    int rounds_seen = 0;
    std::unique_ptr<Timer> timer;
    std::function<void()> again = [&] {
        if (++rounds == 1) runtime_.post([&] { rounds_seen = rounds; });
        if (rounds < rounds_max) timer = runtime_.at(runtime_.now() - 1s, again);
    };
    timer = runtime_.at(runtime_.now(), again);
    while (rounds < rounds_max) runtime_.poll_for(1s);

    EXPECT_GT(rounds_seen, 0);
    EXPECT_LT(rounds_seen, rounds_max / 2);
}

TEST_F(AsioRuntimeTest, TasksOfManyThreadsAllRunInTheOrderOfTheirThread) {
    constexpr int threads = 4;
    constexpr int tasks = 5000;
    std::vector<int> next(threads, 0);
    int left = threads * tasks;
    std::vector<std::thread> posting;
    for (int t = 0; t < threads; ++t) {
        posting.emplace_back([&, t] {
            for (int i = 0; i < tasks; ++i) {
                runtime_.post([&, t, i] {
                    EXPECT_EQ(next[static_cast<std::size_t>(t)]++, i);
                    if (--left == 0) runtime_.stop();
                });
            }
        });
    }

    runtime_.run();

    for (std::thread& thread : posting) thread.join();
    EXPECT_EQ(left, 0);
}

TEST_F(AsioRuntimeTest, TheLongestHandlerIsRemembered) {
    runtime_.post([&] {
        const auto end = std::chrono::steady_clock::now() + 5ms;
        while (std::chrono::steady_clock::now() < end) {
        }
    });
    runtime_.post([] {});
    while (runtime_.poll()) {
    }

    EXPECT_GE(runtime_.figures().handler_time_max, 5ms);
    EXPECT_EQ(runtime_.figures().handlers, 2u);
}

TEST_F(AsioRuntimeTest, WhatNeverRanIsReleasedWithTheRuntime) {
    const auto kept = std::make_shared<int>(0);
    {
        AsioRuntime runtime(log_);
        std::shared_ptr<Timer> timer = runtime.at(runtime.now() + 1h, [kept] {});
        runtime.post([kept, timer] {});
        runtime.worker("journal").submit([kept] {}, [kept] {}, Worker::Place::inline_if_idle);
    }
    EXPECT_EQ(kept.use_count(), 1);
}

// --- workers -------------------------------------------------------------------------------------

TEST_F(AsioRuntimeTest, ABlockedWorkerBlocksNeitherTheLoopNorAnother) {
    std::promise<void> release;
    bool other_done = false;
    bool blocked_done = false;
    runtime_.worker("blocked").submit([&] { release.get_future().wait(); },
                                      [&] { blocked_done = true; });
    runtime_.worker("other").submit([] {}, [&] { other_done = true; });

    while (!other_done) runtime_.poll_for(1s);
    EXPECT_FALSE(blocked_done);
    release.set_value();
    while (!blocked_done) runtime_.poll_for(1s);
}

TEST_F(AsioRuntimeTest, ALoneJobRunsOnTheLoopAndOneWithCompanyDoesNot) {
    std::thread::id lone;
    std::thread::id first;
    std::thread::id second;
    int done = 0;
    Worker& worker = runtime_.worker("journal");
    const auto submit = [&](std::thread::id& where) {
        worker.submit([&where] { where = std::this_thread::get_id(); }, [&done] { ++done; },
                      Worker::Place::inline_if_idle);
    };

    submit(lone);
    while (done < 1) runtime_.poll_for(1s);
    submit(first);
    submit(second);
    while (done < 3) runtime_.poll_for(1s);

    EXPECT_EQ(lone, std::this_thread::get_id());
    EXPECT_NE(first, std::this_thread::get_id());
    EXPECT_EQ(first, second);
}

TEST_F(AsioRuntimeTest, ALoneJobRunsAtTheEndOfItsTurnAndItsRepliesLeaveInTheSame) {
    std::vector<std::string> ran;
    TurnEnd request(runtime_.turn_ends(), TurnPhase::output, [&] { ran.push_back("request"); });
    TurnEnd reply(runtime_.turn_ends(), TurnPhase::output, [&] { ran.push_back("reply"); });
    const auto done = [&] {
        runtime_.post([&] { ran.push_back("next turn"); });
        reply.mark();
        ran.push_back("done");
    };
    runtime_.post([&] {
        runtime_.worker("journal").submit([&] { ran.push_back("job"); }, done,
                                          Worker::Place::inline_if_idle);
        request.mark();
    });
    while (ran.size() < 5) runtime_.poll_for(1s);

    EXPECT_EQ(ran, (std::vector<std::string>{"request", "job", "done", "reply", "next turn"}));
}

TEST_F(AsioRuntimeTest, DestroyingTheRuntimeWaitsForTheRunningJobAndDropsTheRest) {
    std::atomic<bool> began = false;
    std::atomic<bool> ended = false;
    std::atomic<bool> second = false;
    {
        AsioRuntime runtime(log_);
        runtime.worker("journal").submit(
            [&] {
                began = true;
                for (int i = 0; i < 10'000; ++i) std::this_thread::yield();
                ended = true;
            },
            [] { FAIL() << "no loop runs any more"; });
        runtime.worker("journal").submit([&] { second = true; }, [] {});
        while (!began) std::this_thread::yield();
    }
    EXPECT_TRUE(ended);
    EXPECT_FALSE(second);
}

TEST_F(AsioRuntimeTest, AWorkerHasItsNameAndTakesNoSignals) {
    char name[16] = {};
    sigset_t blocked;
    bool done = false;
    runtime_.worker("checkpoint").submit(
        [&] {
            pthread_getname_np(pthread_self(), name, sizeof name);
            pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        },
        [&] { done = true; });
    while (!done) runtime_.poll_for(1s);

    EXPECT_STREQ(name, "checkpoint");
    EXPECT_EQ(sigismember(&blocked, SIGTERM), 1);
    EXPECT_EQ(sigismember(&blocked, SIGPIPE), 1);
}

// --- for programs --------------------------------------------------------------------------------

TEST_F(AsioRuntimeTest, ASignalBecomesACallOnTheLoopWhileSomebodyListens) {
    std::vector<int> heard;
    auto signals =
        Signals::open(runtime_, {SIGUSR1, SIGUSR2}, [&](int signal) { heard.push_back(signal); });
    ASSERT_TRUE(signals);

    std::raise(SIGUSR1);
    EXPECT_TRUE(heard.empty());
    while (heard.size() < 1) runtime_.poll_for(1s);
    std::raise(SIGUSR2);
    while (heard.size() < 2) runtime_.poll_for(1s);

    EXPECT_EQ(heard, (std::vector<int>{SIGUSR1, SIGUSR2}));
    signals->reset();
    struct sigaction action{};
    sigaction(SIGUSR1, nullptr, &action);
    EXPECT_EQ(action.sa_handler, SIG_DFL);
}

TEST_F(AsioRuntimeTest, AHandlerOfSignalsMayDestroyThem) {
    std::unique_ptr<Signals> signals;
    bool heard = false;
    auto opened = Signals::open(runtime_, {SIGUSR1}, [&](int) {
        signals.reset();
        heard = true;
    });
    ASSERT_TRUE(opened);
    signals = std::move(*opened);

    std::raise(SIGUSR1);
    while (!heard) runtime_.poll_for(1s);
}

TEST_F(AsioRuntimeTest, ASignalThatNobodyCanCatchIsRefused) {
    const auto signals = Signals::open(runtime_, {SIGKILL}, [](int) {});
    ASSERT_FALSE(signals);
    EXPECT_EQ(signals.error().code, Errc::bad_config);
}

// A library in another program's process must not be visible from outside.
TEST_F(AsioRuntimeTest, ARuntimeInstallsNoSignalHandlers) {
    for (const int signal : {SIGPIPE, SIGTERM, SIGINT, SIGCHLD, SIGHUP}) {
        struct sigaction action{};
        sigaction(signal, nullptr, &action);
        EXPECT_EQ(action.sa_handler, SIG_DFL) << signal;
    }
}

TEST(Limits, AProgramMayHaveAllTheDescriptorsItMayAskFor) {
    const auto limit = raise_descriptor_limit();
    ASSERT_TRUE(limit);
    EXPECT_EQ(*limit, *raise_descriptor_limit());
}

}  // namespace
}  // namespace understudy::platform
