#include "replicated/group/durable_writes.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace understudy::replicated {
namespace {

TEST(DurableWrites, TheNewestWriteIsReportedOnce) {
    DurableWrites writes;
    writes.written({1}, 1, Index{3});
    writes.written({2}, 2, Index{5});
    writes.written({4}, 3, Index{6});
    EXPECT_EQ(writes.durable({3}), 2u);
    EXPECT_EQ(writes.last(), Index{5});
    EXPECT_EQ(writes.durable({3}), 0u);
    EXPECT_FALSE(writes.idle());
    EXPECT_EQ(writes.newest(), journal::LogPosition{4});
    EXPECT_EQ(writes.durable({9}), 3u);
    EXPECT_TRUE(writes.idle());
}

TEST(DurableWrites, WhatWasCutIsNotDurable) {
    DurableWrites writes;
    writes.written({1}, 1, Index{3});
    EXPECT_EQ(writes.durable({1}), 1u);
    writes.written({2}, 2, Index{7});
    writes.cut(Index{2});
    EXPECT_EQ(writes.last(), Index{2});
    writes.written({3}, 3, Index{4});
    EXPECT_EQ(writes.durable({2}), 2u);
    EXPECT_EQ(writes.last(), Index{2}) << "its entries are void";
    EXPECT_EQ(writes.durable({3}), 3u);
    EXPECT_EQ(writes.last(), Index{4});
}

TEST(DurableWrites, ForgottenWritesAreNotReported) {
    DurableWrites writes;
    writes.written({1}, 1, Index{3});
    writes.forget_writes();
    EXPECT_TRUE(writes.idle());
    EXPECT_EQ(writes.durable({1}), 0u);
    EXPECT_EQ(writes.last(), Index{});
}

TEST(DurableWrites, TasksWaitForTheirPositionInOrder) {
    DurableWrites writes;
    std::vector<std::string> ran;
    writes.when_durable({1}, [&] { ran.emplace_back("first"); });
    writes.when_durable({1}, [&] { ran.emplace_back("second"); });
    writes.when_durable({2}, [&] { ran.emplace_back("third"); });
    EXPECT_FALSE(writes.next_task({0}));
    while (const auto task = writes.next_task({1})) (*task)();
    EXPECT_EQ(ran, (std::vector<std::string>{"first", "second"}));
    ASSERT_TRUE(writes.next_task({5}));
}

}  // namespace
}  // namespace understudy::replicated
