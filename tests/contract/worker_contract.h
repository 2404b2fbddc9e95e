#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "tests/contract/harness.h"

namespace understudy::contract {

/// Jobs that block, and their completions.
class WorkerContract : public ContractTest {
protected:
    [[nodiscard]] Worker& worker() { return node().worker("contract"); }
};

TEST_P(WorkerContract, OneNameIsOneWorker) {
    EXPECT_EQ(&node().worker("journal"), &node().worker("journal"));
    EXPECT_NE(&node().worker("journal"), &node().worker("checkpoint"));
}

TEST_P(WorkerContract, DoneFollowsTheJobAndNeverRunsWithinSubmit) {
    for (const auto place : {Worker::Place::worker_thread, Worker::Place::inline_if_idle}) {
        std::atomic<bool> ran = false;
        bool done = false;
        on_loop(0, [&] {
            const auto complete = [&] {
                EXPECT_TRUE(ran);
                done = true;
            };
            worker().submit([&] { ran = true; }, complete, place);
            EXPECT_FALSE(done);
        });
        EXPECT_TRUE(run_until([&] { return done; })) << "place " << static_cast<int>(place);
    }
}

// For all places that were requested: an inline job neither overtakes nor is overtaken.
TEST_P(WorkerContract, JobsAndTheirCompletionsKeepTheOrderOfSubmission) {
    constexpr int jobs = 200;
    std::vector<int> ran;  // One job at a time writes it; it is read when all are done.
    std::vector<int> done;
    const auto submit = [&](int i) {
        const bool alone = i % 3 == 0;
        worker().submit([&ran, i] { ran.push_back(i); }, [&done, i] { done.push_back(i); },
                        alone ? Worker::Place::inline_if_idle : Worker::Place::worker_thread);
    };
    for (int first = 0; first < jobs; first += 4) {
        on_loop(0, [&] {
            for (int i = first; i < first + 4; ++i) submit(i);
        });
    }

    ASSERT_TRUE(run_until([&] { return done.size() == jobs; }));
    for (int i = 0; i < jobs; ++i) {
        ASSERT_EQ(ran[static_cast<std::size_t>(i)], i);
        ASSERT_EQ(done[static_cast<std::size_t>(i)], i);
    }
}

TEST_P(WorkerContract, ACompletionMaySubmitTheNextJob) {
    int rounds = 0;
    std::function<void()> next = [&] {
        if (++rounds == 10) return;
        worker().submit([] {}, next, Worker::Place::inline_if_idle);
    };
    on_loop(0, [&] { worker().submit([] {}, next); });

    EXPECT_TRUE(run_until([&] { return rounds == 10; }));
}

TEST_P(WorkerContract, WhatJobAndCompletionHoldIsReleased) {
    const auto kept = std::make_shared<int>(0);
    bool done = false;
    on_loop(0, [&] {
        worker().submit([kept] {}, [kept, &done] { done = true; });
    });

    ASSERT_TRUE(run_until([&] { return done; }));
    EXPECT_TRUE(run_until([&] { return kept.use_count() == 1; }));
}

}  // namespace understudy::contract
