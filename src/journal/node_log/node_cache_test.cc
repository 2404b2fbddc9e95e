#include "journal/node_log/node_cache.h"

#include <gtest/gtest.h>

#include "journal/node_log/node_session_test.h"

namespace understudy::journal {
namespace {

void add(NodeCache& cache, std::uint64_t group, std::uint64_t index, std::size_t bytes = 900) {
    cache.add({group}, {index}, entry_of(index, std::string(bytes, 'x')));
}

TEST(NodeCache, TheOldestOfAllGroupsGoFirst) {
    NodeCache cache(4000);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        add(cache, 1, i);
        add(cache, 2, i);
    }
    EXPECT_GT(cache.bytes(), 4000U) << "nothing is durable yet";
    cache.durable(6);
    EXPECT_LE(cache.bytes(), 4000U);
    EXPECT_EQ(cache.first({1}), Index{2});
    EXPECT_EQ(cache.first({2}), Index{2}) << "and then the older of these";
    EXPECT_TRUE(cache.read({1}, {1}, 9, 9000).empty());
    EXPECT_EQ(cache.read({2}, {2}, 9, 9000).size(), 2U);
}

TEST(NodeCache, WhatIsNotDurableStaysWhateverTheBound) {
    NodeCache cache(100);
    add(cache, 1, 1);
    add(cache, 1, 2);
    cache.durable(1);
    EXPECT_EQ(cache.first({1}), Index{2});
    // The same index is added again. The add that became durable is another one.
    cache.cut({1}, {2});
    add(cache, 1, 2);
    cache.durable(1);
    EXPECT_EQ(cache.first({1}), Index{2});
    cache.durable(1);
    EXPECT_EQ(cache.first({1}), std::nullopt);
    EXPECT_EQ(cache.bytes(), 0U);
}

TEST(NodeCache, WhatIsTrimmedCutOrForgottenTakesNoRoom) {
    NodeCache cache(1 * MiB);
    for (std::uint64_t i = 5; i <= 9; ++i) add(cache, 1, i);
    cache.trim({1}, {7});
    cache.cut({1}, {9});
    EXPECT_EQ(cache.read({1}, {7}, 9, 9000).size(), 2U);
    EXPECT_TRUE(cache.read({1}, {9}, 9, 9000).empty());
    cache.trim({1}, {100});
    EXPECT_EQ(cache.bytes(), 0U);
    add(cache, 1, 200);
    EXPECT_EQ(cache.first({1}), Index{200});
    cache.forget({1});
    EXPECT_EQ(cache.bytes(), 0U);
    EXPECT_EQ(cache.first({1}), std::nullopt);
    cache.durable(6);
}

TEST(NodeCache, WorksForEverOnGroupsThatAreTrimmed) {
    NodeCache cache(10'000);
    add(cache, 2, 1);
    for (std::uint64_t i = 1; i <= 50'000; ++i) {
        add(cache, 1, i, 10);
        cache.trim({1}, {i});
        cache.durable(1);
    }
    EXPECT_EQ(cache.first({2}), Index{1}) << "there is room for it";
    EXPECT_EQ(cache.first({1}), Index{50'000});
}

}  // namespace
}  // namespace understudy::journal
