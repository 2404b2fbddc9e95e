#include "role/lease_book.h"

#include <gtest/gtest.h>

namespace understudy::role {
namespace {

constexpr Incarnation a{1};
constexpr Incarnation b{2};
const TimePoint start{1000s};

// A holder is silent exactly when a whole lease has passed since it was last heard.
TEST(LeaseBook, LapsesAfterOneLeaseOfSilence) {
    LeaseBook book(start, 100ms);
    book.open(a, 300ms, start);

    book.turn(start + 100ms);
    book.turn(start + 200ms);
    EXPECT_TRUE(book.lapsed(start + 299ms).empty());
    EXPECT_EQ(book.lapsed(start + 300ms), std::vector{a});
}

TEST(LeaseBook, ASignOfLifeRenews) {
    LeaseBook book(start, 100ms);
    book.open(a, 300ms, start);
    book.open(b, 300ms, start);

    book.heard(a, start + 250ms);

    EXPECT_EQ(book.lapsed(start + 300ms), std::vector{b});
    EXPECT_EQ(book.next_lapse(), start + 300ms);
}

// The granter was stopped for ten seconds: heartbeats may lie unread, so nobody has lapsed yet.
TEST(LeaseBook, TheGrantersOwnPauseIsNotHeldAgainstHolders) {
    LeaseBook book(start, 100ms);
    book.open(a, 300ms, start);

    book.turn(start + 10s);

    EXPECT_TRUE(book.lapsed(start + 10s).empty());
    EXPECT_FALSE(book.lapsed(start + 10s + 300ms).empty());
}

TEST(LeaseBook, ASignOfLifeFromAStrangerOpensNothing) {
    LeaseBook book(start, 100ms);
    book.heard(a, start);
    EXPECT_EQ(book.size(), 0u);
    EXPECT_FALSE(book.next_lapse());
}

// An agent with two services is judged by the shorter lease.
TEST(LeaseBook, TheShortestLeaseOfAHolderCounts) {
    LeaseBook book(start, 100ms);
    book.open(a, 1s, start);
    book.open(a, 200ms, start);
    EXPECT_EQ(book.next_lapse(), start + 200ms);
}

}  // namespace
}  // namespace understudy::role
