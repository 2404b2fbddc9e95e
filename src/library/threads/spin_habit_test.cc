#include "library/threads/spin_habit.h"

#include <gtest/gtest.h>

namespace understudy::library {
namespace {

TEST(SpinHabit, WhatDoesNotPayIsTriedMoreAndMoreSeldom) {
    SpinHabit habit;
    int tried = 0;
    for (int i = 0; i < 10'000; ++i) {
        if (!habit.wants()) continue;
        ++tried;
        habit.in_vain();
    }
    EXPECT_GE(tried, 10'000 / (SpinHabit::left_out_max + 1));
    EXPECT_LE(tried, 60);
}

TEST(SpinHabit, WhatPaysIsDoneAlwaysAndOnceInVainCostsOneChance) {
    SpinHabit habit;
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(habit.wants());
        habit.paid();
    }
    ASSERT_TRUE(habit.wants());
    habit.in_vain();
    EXPECT_FALSE(habit.wants());
    EXPECT_TRUE(habit.wants());
}

TEST(SpinHabit, AfterALongTimeInVainAFewThatPaySufficeToBeBack) {
    SpinHabit habit;
    const auto wait = [&] {
        int left_out = 0;
        while (!habit.wants()) ++left_out;
        return left_out;
    };
    for (int i = 0; i < 20; ++i) {
        (void)wait();
        habit.ended(false);
    }
    EXPECT_EQ(wait(), SpinHabit::left_out_max);
    for (int i = 0; i < 8; ++i) {
        EXPECT_EQ(wait(), 0);
        habit.ended(true);
    }
    habit.ended(false);
    EXPECT_EQ(wait(), 1);
}

}  // namespace
}  // namespace understudy::library
