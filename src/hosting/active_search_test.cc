#include "hosting/active_search.h"

#include <gtest/gtest.h>

namespace understudy::hosting {
namespace {

using Place = Locator::Place;

const Place a{.member = "a", .address = {.host = "a", .port = 1}, .epoch = {}};
const Place b{.member = "b", .address = {.host = "b", .port = 1}, .epoch = {}};
const Place c{.member = "c", .address = {.host = "c", .port = 1}, .epoch = {}};

std::string asked(const ActiveSearch::Step& step) {
    if (const auto* ask = std::get_if<ActiveSearch::Ask>(&step)) return ask->place.member;
    return std::holds_alternative<ActiveSearch::Wait>(step) ? "wait" : "nobody";
}

TEST(ActiveSearch, NobodyIsAskedBeforeSomebodyIsKnown) {
    ActiveSearch search;
    Random random(1);
    EXPECT_EQ(asked(search.next(random)), "nobody");
    EXPECT_FALSE(search.found({}));
    EXPECT_TRUE(search.found({a}));
    EXPECT_FALSE(search.found({a}));  // Nothing has changed.
    EXPECT_EQ(asked(search.next(random)), "a");
}

TEST(ActiveSearch, AllAreAskedInTurnThenItWaitsLongerEachTime) {
    ActiveSearch search;
    Random random(1);
    search.found({a, b});
    Duration longest{};
    for (int round = 0; round < 12; ++round) {
        EXPECT_EQ(asked(search.next(random)), "a") << round;
        search.failed();
        EXPECT_EQ(asked(search.next(random)), "b") << round;
        search.failed();
        const auto step = search.next(random);
        ASSERT_EQ(asked(step), "wait") << round;
        const Duration wait = std::get<ActiveSearch::Wait>(step).time;
        EXPECT_GE(wait, ActiveSearch::wait_min / 2);
        EXPECT_LE(wait, ActiveSearch::wait_max);
        longest = std::max(longest, wait);
    }
    EXPECT_GE(longest, ActiveSearch::wait_max / 2);
}

TEST(ActiveSearch, WhoIsNamedIsAskedNextButNotForEver) {
    ActiveSearch search;
    Random random(1);
    search.found({a, b});
    EXPECT_EQ(asked(search.next(random)), "a");
    for (std::size_t i = 0; i < ActiveSearch::hints_max; ++i) {
        search.elsewhere(i % 2 == 0 ? c : a);
        EXPECT_EQ(asked(search.next(random)), i % 2 == 0 ? "c" : "a");
    }
    search.elsewhere(a);
    EXPECT_EQ(asked(search.next(random)), "b");
}

TEST(ActiveSearch, WhoNamesItselfOrNobodyIsNotAskedAgainAtOnce) {
    ActiveSearch search;
    Random random(1);
    search.found({a, b});
    EXPECT_EQ(asked(search.next(random)), "a");
    search.elsewhere(a);
    EXPECT_EQ(asked(search.next(random)), "b");
    search.elsewhere({});
    EXPECT_EQ(asked(search.next(random)), "wait");
}

TEST(ActiveSearch, WhoTakesLinksAndDropsThemIsNotAskedWithoutEnd) {
    ActiveSearch search;
    Random random(1);
    search.found({a});
    EXPECT_EQ(asked(search.next(random)), "a");
    search.ended(1ms);
    EXPECT_EQ(asked(search.next(random)), "wait");
    EXPECT_EQ(asked(search.next(random)), "a");
    search.ended(10s);
    EXPECT_EQ(asked(search.next(random)), "a");
}

}  // namespace
}  // namespace understudy::hosting
