#pragma once

#include <array>
#include <functional>
#include <memory>
#include <utility>
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

/// Tasks that are marked for the end of a turn.
class TurnEndContract : public RuntimeContract {
protected:
    std::unique_ptr<TurnEnd> end(TurnPhase phase, std::function<void()> task) {
        return std::make_unique<TurnEnd>(node().turn_ends(), phase, std::move(task));
    }
    /// A task that records `mark` when it runs.
    std::unique_ptr<TurnEnd> noted(TurnPhase phase, int mark) {
        return end(phase, [this, mark] { ran_.push_back(mark); });
    }
    [[nodiscard]] bool run_until_ran(std::size_t count) {
        return run_until([&] { return ran_.size() >= count; });
    }

    std::vector<std::unique_ptr<TurnEnd>> ends_;
};

TEST_P(TurnEndContract, WhatIsMarkedRunsOnceAndAfterWhatIsReady) {
    ends_.push_back(noted(TurnPhase::commands, 3));
    node().post([this] {
        for (int i = 0; i < 3; ++i) ends_[0]->mark();
        EXPECT_TRUE(ends_[0]->marked());
        ran_.push_back(1);
    });
    node().post([this] {
        ends_[0]->mark();
        ran_.push_back(2);
    });

    ASSERT_TRUE(run_until_ran(3));
    run_for(settle);
    EXPECT_EQ(ran_, (std::vector<int>{1, 2, 3}));
    EXPECT_FALSE(ends_[0]->marked());
}

TEST_P(TurnEndContract, ItMayBeMarkedAgainInALaterTurn) {
    ends_.push_back(noted(TurnPhase::links, 0));
    for (std::size_t turn = 1; turn <= 3; ++turn) {
        on_loop(0, [this] { ends_[0]->mark(); });
        ASSERT_TRUE(run_until_ran(turn));
    }
}

TEST_P(TurnEndContract, PhasesRunInTheirOrderAndEachInTheOrderOfMarking) {
    constexpr std::array phases{TurnPhase::commands, TurnPhase::log,   TurnPhase::journal,
                                TurnPhase::messages, TurnPhase::links, TurnPhase::output,
                                TurnPhase::blocking};
    for (std::size_t i = 0; i < phases.size(); ++i) {
        ends_.push_back(noted(phases[i], 2 * static_cast<int>(i)));
        ends_.push_back(noted(phases[i], 2 * static_cast<int>(i) + 1));
    }
    on_loop(0, [this] {
        for (std::size_t i = ends_.size(); i > 0; i -= 2) {
            ends_[i - 2]->mark();
            ends_[i - 1]->mark();
        }
    });

    ASSERT_TRUE(run_until_ran(ends_.size()));
    for (std::size_t i = 0; i < ends_.size(); ++i) EXPECT_EQ(ran_[i], static_cast<int>(i));
}

TEST_P(TurnEndContract, ALaterPhaseAndAnEarlierOneRunInTheSameTurn) {
    ends_.push_back(end(TurnPhase::journal, [this] {
        node().post([this] { ran_.push_back(4); });
        ran_.push_back(1);
        ends_[1]->mark();
        ends_[2]->mark();
    }));
    ends_.push_back(noted(TurnPhase::commands, 3));
    ends_.push_back(noted(TurnPhase::links, 2));
    on_loop(0, [this] { ends_[0]->mark(); });

    ASSERT_TRUE(run_until_ran(4));
    EXPECT_EQ(ran_, (std::vector<int>{1, 2, 3, 4}));
}

// Blocking tasks run once in a turn, whatever their consequences are.
TEST_P(TurnEndContract, WhatBlocksRunsOncePerTurnAndItsConsequencesInTheSame) {
    ends_.push_back(end(TurnPhase::blocking, [this] {
        ran_.push_back(1);
        if (ran_.size() > 3) return;
        node().post([this] { ran_.push_back(3); });
        ends_[0]->mark();
        ends_[1]->mark();
    }));
    ends_.push_back(noted(TurnPhase::output, 2));
    on_loop(0, [this] { ends_[0]->mark(); });

    ASSERT_TRUE(run_until_ran(4));
    EXPECT_EQ(ran_, (std::vector<int>{1, 2, 3, 1}));
}

TEST_P(TurnEndContract, OneThatMarksItselfForEverLeavesRoomForOthers) {
    int rounds = 0;
    int rounds_seen = 0;
    ends_.push_back(end(TurnPhase::commands, [&] {
        if (++rounds == 1) node().post([&] { rounds_seen = rounds; });
        if (rounds_seen == 0) ends_[0]->mark();
    }));
    on_loop(0, [this] { ends_[0]->mark(); });

    ASSERT_TRUE(run_until([&] { return rounds_seen > 0; }));
    EXPECT_EQ(rounds_seen, TurnEnds::rounds_max);
}

TEST_P(TurnEndContract, ADestroyedOneAndAnUnmarkedOneDoNotRun) {
    for (int i = 0; i < 4; ++i) ends_.push_back(noted(TurnPhase::journal, i));
    auto killer = end(TurnPhase::journal, [this] {
        ends_[2].reset();
        ends_[1]->unmark();
    });
    on_loop(0, [&] {
        killer->mark();
        for (auto& each : ends_) each->mark();
        ends_[0].reset();
    });

    ASSERT_TRUE(run_until_ran(1));
    run_for(settle);
    EXPECT_EQ(ran_, std::vector<int>{3});
}

TEST_P(TurnEndContract, OneMayBeDestroyedByItsOwnTask) {
    const auto kept = std::make_shared<int>(7);
    ends_.push_back(end(TurnPhase::messages, [this, kept] {
        ends_.clear();
        ran_.push_back(*kept);  // The objects that the task owns still exist.
    }));
    on_loop(0, [this] { ends_[0]->mark(); });

    ASSERT_TRUE(run_until_ran(1));
    EXPECT_EQ(ran_, std::vector<int>{7});
    EXPECT_EQ(kept.use_count(), 1);
}

TEST_P(TurnEndContract, TimeStandsStillInATaskOfTheEnd) {
    ends_.push_back(end(TurnPhase::journal, [this] {
        const TimePoint now = node().now();
        for (int look = 0; look < 1000; ++look) ASSERT_EQ(node().now(), now);
        ran_.push_back(0);
    }));
    on_loop(0, [this] { ends_[0]->mark(); });

    ASSERT_TRUE(run_until_ran(1));
}

}  // namespace understudy::contract
