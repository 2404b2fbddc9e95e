#include "role/lease_book.h"

#include <gtest/gtest.h>

namespace understudy::role {
namespace {

constexpr Incarnation a{1};
constexpr Incarnation b{2};
const TimePoint book_start{1000s};

// A holder is silent exactly when a whole lease has passed since it was last heard.
TEST(LeaseBook, LapsesAfterOneLeaseOfSilence) {
    LeaseBook book(book_start, 100ms);
    book.open(a, 300ms, book_start);

    book.turn(book_start + 100ms);
    book.turn(book_start + 200ms);
    EXPECT_TRUE(book.lapsed(book_start + 299ms).empty());
    EXPECT_EQ(book.lapsed(book_start + 300ms), std::vector{a});
}

TEST(LeaseBook, ASignOfLifeRenews) {
    LeaseBook book(book_start, 100ms);
    book.open(a, 300ms, book_start);
    book.open(b, 300ms, book_start);

    book.heard(a, book_start + 250ms);

    EXPECT_EQ(book.lapsed(book_start + 300ms), std::vector{b});
    EXPECT_EQ(book.next_lapse(), book_start + 300ms);
}

// The granter was stopped for ten seconds. Heartbeats may lie unread, so no lease has lapsed yet.
TEST(LeaseBook, TheGrantersOwnPauseIsNotHeldAgainstHolders) {
    LeaseBook book(book_start, 100ms);
    book.open(a, 300ms, book_start);

    book.turn(book_start + 10s);

    EXPECT_TRUE(book.lapsed(book_start + 10s).empty());
    EXPECT_FALSE(book.lapsed(book_start + 10s + 300ms).empty());
}

TEST(LeaseBook, ASignOfLifeFromAStrangerOpensNothing) {
    LeaseBook book(book_start, 100ms);
    book.heard(a, book_start);
    EXPECT_EQ(book.size(), 0u);
    EXPECT_FALSE(book.next_lapse());
}

// An agent with two services is judged by the shorter lease.
TEST(LeaseBook, TheShortestLeaseOfAHolderCounts) {
    LeaseBook book(book_start, 100ms);
    book.open(a, 1s, book_start);
    book.open(a, 200ms, book_start);
    EXPECT_EQ(book.next_lapse(), book_start + 200ms);
}

}  // namespace
}  // namespace understudy::role
