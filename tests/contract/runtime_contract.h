#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tests/contract/harness.h"

namespace understudy::contract {

/// Tasks, timers and the clock.
class RuntimeContract : public ContractTest {
protected:
    std::vector<int> ran_;
    std::unique_ptr<Timer> first_;
    std::unique_ptr<Timer> second_;
};

TEST_P(RuntimeContract, PostedTasksRunLaterAndInOrder) {
    for (int i = 0; i < 100; ++i) {
        node().post([this, i] { ran_.push_back(i); });
    }
    EXPECT_TRUE(ran_.empty());

    ASSERT_TRUE(run_until([&] { return ran_.size() == 100; }));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(ran_[static_cast<std::size_t>(i)], i);
}

TEST_P(RuntimeContract, ATaskPostedByATaskRunsAfterThoseThatWait) {
    node().post([this] {
        node().post([this] { ran_.push_back(3); });
        ran_.push_back(1);
    });
    node().post([this] { ran_.push_back(2); });

    ASSERT_TRUE(run_until([&] { return ran_.size() == 3; }));
    EXPECT_EQ(ran_, (std::vector<int>{1, 2, 3}));
}

TEST_P(RuntimeContract, TimeStandsStillInATaskAndNeverGoesBack) {
    TimePoint last{};
    for (int i = 0; i < 100; ++i) {
        node().post([this, &last] {
            const TimePoint now = node().now();
            EXPECT_GE(now, last);
            for (int look = 0; look < 1000; ++look) ASSERT_EQ(node().now(), now);
            last = now;
            ran_.push_back(0);
        });
    }

    ASSERT_TRUE(run_until([&] { return ran_.size() == 100; }));
}

TEST_P(RuntimeContract, ATimerGoesOffAtItsTimeAndNotBefore) {
    TimePoint due{};
    TimePoint at{};
    on_loop(0, [&] {
        due = node().now() + 20ms;
        first_ = node().at(due, [&] { at = node().now(); });
    });

    ASSERT_TRUE(run_until([&] { return at != TimePoint{}; }));
    EXPECT_GE(at, due);
}

TEST_P(RuntimeContract, ATimerOfThePastGoesOffLaterNotWithinTheCall) {
    on_loop(0, [&] {
        first_ = node().at(node().now() - 1s, [this] { ran_.push_back(1); });
        EXPECT_TRUE(ran_.empty());
    });

    EXPECT_TRUE(run_until([&] { return ran_.size() == 1; }));
}

TEST_P(RuntimeContract, TimersGoOffInTheOrderOfTheirTimesThenOfArming) {
    std::vector<std::unique_ptr<Timer>> timers;
    on_loop(0, [&] {
        const TimePoint now = node().now();
        const auto arm = [&](Duration in, int mark) {
            timers.push_back(node().at(now + in, [this, mark] { ran_.push_back(mark); }));
        };
        arm(30ms, 4);
        arm(10ms, 1);
        arm(20ms, 2);
        arm(20ms, 3);
    });

    ASSERT_TRUE(run_until([&] { return ran_.size() == 4; }));
    EXPECT_EQ(ran_, (std::vector<int>{1, 2, 3, 4}));
}

TEST_P(RuntimeContract, ADestroyedTimerNeverGoesOff) {
    on_loop(0, [&] {
        const TimePoint due = node().now() + 5ms;
        first_ = node().at(due, [this] { ran_.push_back(1); });
        second_ = node().at(due + 5ms, [this] { ran_.push_back(2); });
        first_.reset();
    });

    ASSERT_TRUE(run_until([&] { return !ran_.empty(); }));
    run_for(settle);
    EXPECT_EQ(ran_, std::vector<int>{2});
}

// Both are due at the same instant; the one that fires first cancels the other.
TEST_P(RuntimeContract, ATimerCancelledByAnotherOfTheSameInstantNeverGoesOff) {
    on_loop(0, [&] {
        const TimePoint due = node().now() + 5ms;
        first_ = node().at(due, [this] {
            ran_.push_back(1);
            second_.reset();
        });
        second_ = node().at(due, [this] { ran_.push_back(2); });
    });

    ASSERT_TRUE(run_until([&] { return !ran_.empty(); }));
    run_for(settle);
    EXPECT_EQ(ran_, std::vector<int>{1});
}

TEST_P(RuntimeContract, ATimerMayBeDestroyedByItsOwnTask) {
    const auto kept = std::make_shared<int>(7);
    on_loop(0, [&] {
        first_ = node().at(node().now(), [this, kept] {
            first_.reset();
            ran_.push_back(*kept);  // The objects that the task owns still exist.
        });
    });

    ASSERT_TRUE(run_until([&] { return !ran_.empty(); }));
    EXPECT_EQ(ran_, std::vector<int>{7});
    EXPECT_EQ(kept.use_count(), 1);
}

TEST_P(RuntimeContract, ATimerMayBeArmedAgainByItsOwnTask) {
    std::function<void()> again = [&] {
        ran_.push_back(0);
        if (ran_.size() < 5) first_ = node().at(node().now() + 1ms, again);
    };
    on_loop(0, [&] { first_ = node().at(node().now(), again); });

    EXPECT_TRUE(run_until([&] { return ran_.size() == 5; }));
}

}  // namespace understudy::contract
