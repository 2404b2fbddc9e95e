#include "journal/appender.h"

#include <gtest/gtest.h>

#include "journal/fakes/fake_disk_test.h"

namespace understudy::journal {
namespace {

constexpr std::uint64_t appender_segment = 64 * KiB;
constexpr Duration retry = 1s;
constexpr Duration rest = 2s;

/// An appender in a segment that has just been begun, and the work that it requests.
struct Appending : testing::Test {
    explicit Appending(Appender::ReserveTime reserve = Appender::ReserveTime::at_once)
        : appender({.generation = first_generation(1),
                    .segment_bytes = appender_segment,
                    .used_bytes = segment_header_bytes + entry_header_bytes,
                    .chain = {.last = {1}, .epoch = {1}, .checksum = 77}},
                   {.segment_bytes = appender_segment,
                    .queue_bytes_max = 256 * KiB,
                    .reserve = reserve,
                    .reserve_retry_interval = retry,
                    .mark_after = rest}) {}

    Result<void> offer(std::uint64_t bytes, Urgency urgency = Urgency::ordinary) {
        Append append{.drafts = {}, .urgency = urgency, .done = {}};
        append.drafts.push_back({.body = Buffer(bytes - entry_header_bytes)});
        return appender.offer(append);
    }
    Appender::Turn turn() { return appender.turn(now); }
    /// The flushes that are wanted now.
    std::vector<std::shared_ptr<Flush>> flushes() {
        std::vector<std::shared_ptr<Flush>> found;
        last = turn();
        for (const InFlight* one : last.writes) {
            if (one != nullptr) found.push_back(one->flush);
        }
        return found;
    }
    /// Two flushes. The second begins a segment.
    std::vector<std::shared_ptr<Flush>> two_flushes() {
        EXPECT_TRUE(offer(40'000));
        for (int i = 0; i < 2; ++i) EXPECT_TRUE(offer(full_batch_bytes / 2));
        return flushes();
    }
    void make_reserve() {
        appender.reserve_made(*disk.open("/" + std::to_string(++files), Disk::Open::create_new),
                              false);
    }
    /// Takes turns until everything is written.
    void write_all() {
        for (auto found = flushes(); !found.empty(); found = flushes()) {
            for (const auto& flush : found) appender.reuse(appender.written(flush).flush->bytes);
        }
    }

    FakeDisk disk{1};
    int files = 0;
    TimePoint now{};
    Appender appender;
    Appender::Turn last;
};

struct AppendingWhenDue : Appending {
    AppendingWhenDue() : Appending(Appender::ReserveTime::when_due) {}
};

TEST_F(Appending, AReserveIsWantedBeforeAnythingIsAppendedWhereOnlyItVouchesForTheSegment) {
    EXPECT_EQ(turn().make_reserve, first_generation(1) + 1);
    EXPECT_FALSE(turn().make_reserve) << "it is being made";
}

TEST_F(AppendingWhenDue, AReserveIsWantedWhenAQuarterOfTheSegmentIsUsed) {
    ASSERT_TRUE(offer(appender_segment / 4 - segment_header_bytes - entry_header_bytes - 8));
    write_all();
    EXPECT_FALSE(last.make_reserve);
    ASSERT_TRUE(offer(entry_header_bytes));
    EXPECT_EQ(turn().make_reserve, first_generation(1) + 1);
}

TEST_F(AppendingWhenDue, AReserveIsWantedWhenAnAppendNeedsIt) {
    ASSERT_TRUE(offer(append_bytes_max(appender_segment)));
    EXPECT_TRUE(flushes().empty()) << "the tenure entry leaves too little room";
    EXPECT_TRUE(last.make_reserve);
    make_reserve();
    EXPECT_EQ(flushes().size(), 1U);
}

// The reserve would say that the first entries of the segment are durable, and they are not.
TEST_F(Appending, NoReserveIsMadeWhileTheFirstEntriesOfASegmentAreInFlight) {
    ASSERT_TRUE(turn().make_reserve);
    make_reserve();
    const auto both = two_flushes();
    ASSERT_EQ(both.size(), 2U);
    EXPECT_FALSE(both[0]->next_segment);
    EXPECT_TRUE(both[1]->next_segment) << "the reserve that was made";
    EXPECT_FALSE(last.make_reserve);
    static_cast<void>(appender.written(both[0]));
    EXPECT_FALSE(turn().make_reserve);
    static_cast<void>(appender.written(both[1]));
    EXPECT_EQ(turn().make_reserve, first_generation(1) + 2);
}

TEST_F(Appending, ASecondBatchFollowsTheFirstOnlyIfItIsWorthAFlush) {
    ASSERT_TRUE(turn().make_reserve);
    make_reserve();
    ASSERT_TRUE(offer(48));
    const auto first = flushes();
    ASSERT_EQ(first.size(), 1U);
    ASSERT_TRUE(offer(48));
    EXPECT_TRUE(flushes().empty()) << "waits for company";
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(offer(full_batch_bytes / 2));
    const auto second = flushes();
    ASSERT_EQ(second.size(), 1U);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(offer(full_batch_bytes / 2));
    EXPECT_TRUE(flushes().empty()) << "two are in flight";
    EXPECT_EQ(appender.written(first[0]).batch.placed.size(), 1U);
}

TEST_F(Appending, ALongQueueIsToldOnce) {
    ASSERT_TRUE(turn().make_reserve);
    ASSERT_TRUE(offer(40'000));
    ASSERT_EQ(flushes().size(), 1U);
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(offer(40'000));
    EXPECT_EQ(turn().queue_bytes, 240'000U);
    EXPECT_FALSE(turn().queue_bytes);
}

TEST_F(Appending, WhatStalledIsWrittenAgainInItsOrderWhenAllHasComeBack) {
    ASSERT_TRUE(turn().make_reserve);
    make_reserve();
    const auto both = two_flushes();
    ASSERT_EQ(both.size(), 2U);
    EXPECT_TRUE(appender.stalled(both[0], now)) << "the first is to be logged";
    EXPECT_TRUE(flushes().empty());
    ASSERT_TRUE(last.wake);
    now = *last.wake;
    EXPECT_TRUE(flushes().empty()) << "the other is still on its way";
    EXPECT_FALSE(appender.stalled(both[1], now));
    EXPECT_TRUE(flushes().empty());
    now += 20ms;
    EXPECT_EQ(flushes(), both);
    static_cast<void>(appender.written(both[0]));
    EXPECT_TRUE(appender.stalled(both[1], now)) << "one was written meanwhile";
}

TEST_F(Appending, AMarkFollowsTheLastEntryAfterARestAndNoneFollowsIt) {
    ASSERT_TRUE(turn().make_reserve);
    make_reserve();
    ASSERT_TRUE(offer(48));
    write_all();
    now += rest;
    const auto mark = flushes();
    ASSERT_EQ(mark.size(), 1U);
    const InFlight written = appender.written(mark[0]);
    ASSERT_EQ(written.batch.placed.size(), 1U);
    EXPECT_EQ(written.batch.placed[0].type, EntryType::mark);
    for (int i = 0; i < 3; ++i) {
        now += rest;
        EXPECT_TRUE(flushes().empty());
        EXPECT_FALSE(last.wake);
    }
}

TEST_F(Appending, NoMarkIsWrittenWhileABatchIsInFlight) {
    ASSERT_TRUE(turn().make_reserve);
    make_reserve();
    ASSERT_TRUE(offer(48));
    const auto first = flushes();
    ASSERT_EQ(first.size(), 1U);
    now += rest;
    EXPECT_TRUE(flushes().empty());
    static_cast<void>(appender.written(first[0]));
    EXPECT_TRUE(flushes().empty());
    now += rest;
    EXPECT_EQ(flushes().size(), 1U);
}

TEST_F(Appending, TheOwnerIsToldToWakeItOnlyWhenThatIsSooner) {
    const auto first = turn();
    EXPECT_EQ(first.wake, now + rest) << "for a mark";
    EXPECT_FALSE(turn().wake);
    EXPECT_TRUE(appender.reserve_failed({.code = Errc::no_space}, now));
    EXPECT_EQ(turn().wake, now + retry);
    EXPECT_FALSE(turn().wake);
    now += retry;
    const auto again = turn();
    EXPECT_TRUE(again.make_reserve);
    EXPECT_EQ(again.wake, TimePoint{} + rest);
}

TEST_F(Appending, WhatNeedsTheReserveWaitsInAShortageAndIsRefusedOnAFullDisk) {
    ASSERT_TRUE(turn().make_reserve);
    ASSERT_TRUE(offer(append_bytes_max(appender_segment)));
    EXPECT_TRUE(appender.reserve_failed({.code = Errc::no_descriptors}, now)) << "is logged";
    EXPECT_TRUE(turn().refused.empty());
    now += retry;
    ASSERT_TRUE(turn().make_reserve);

    EXPECT_FALSE(appender.reserve_failed({.code = Errc::no_space}, now)) << "is logged once";
    const auto full = turn();
    EXPECT_EQ(full.refused.size(), 1U);
    EXPECT_EQ(full.refusal->code, Errc::no_space);
    EXPECT_EQ(full.space, Space::reserve_only);
    EXPECT_FALSE(turn().space) << "told once";
    now += retry;
    ASSERT_TRUE(turn().make_reserve);
    make_reserve();
    EXPECT_EQ(turn().space, Space::ok);
}

TEST_F(Appending, WhoLeavesWritesWhatWaitsAndThenAMark) {
    ASSERT_TRUE(turn().make_reserve);
    make_reserve();
    ASSERT_TRUE(offer(48));
    appender.leave({.code = Errc::closed});
    const auto entries = flushes();
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_FALSE(appender.drained());
    static_cast<void>(appender.written(entries[0]));
    EXPECT_FALSE(appender.drained());
    const auto mark = flushes();
    ASSERT_EQ(mark.size(), 1U);
    EXPECT_FALSE(appender.drained());
    EXPECT_EQ(appender.written(mark[0]).batch.placed[0].type, EntryType::mark);
    EXPECT_TRUE(appender.drained());
    EXPECT_TRUE(flushes().empty());
}

TEST_F(Appending, WhoLeavesDoesNotWaitForASegmentThatCannotBeMade) {
    ASSERT_TRUE(turn().make_reserve);
    ASSERT_TRUE(offer(append_bytes_max(appender_segment)));
    appender.leave({.code = Errc::closed});
    EXPECT_TRUE(turn().refused.empty()) << "it is being made";
    EXPECT_FALSE(appender.drained());
    EXPECT_TRUE(appender.reserve_failed({.code = Errc::no_descriptors}, now));
    const auto mark = flushes();
    ASSERT_EQ(last.refused.size(), 1U);
    EXPECT_EQ(last.refusal->code, Errc::closed);
    ASSERT_EQ(mark.size(), 1U);
    static_cast<void>(appender.written(mark[0]));
    EXPECT_TRUE(appender.drained());
}

// While the journal serves, admitted appends are not refused because the disk is full.
TEST_F(Appending, WhoLeavesRefusesWhatWasAdmittedIfTheDiskStaysFull) {
    ASSERT_TRUE(turn().make_reserve);
    EXPECT_TRUE(appender.reserve_failed({.code = Errc::no_space}, now));
    for (int i = 0; i < 2; ++i) {
        Append admitted{.drafts = {}, .done = {}};
        admitted.drafts.push_back({.body = Buffer(40'000)});
        appender.queue_admitted(std::move(admitted));
    }
    write_all();
    EXPECT_TRUE(last.refused.empty()) << "one is written, the other waits";
    appender.leave({.code = Errc::closed});
    const auto mark = flushes();
    ASSERT_EQ(last.refused.size(), 1U);
    EXPECT_EQ(last.refusal->code, Errc::no_space);
    for (const auto& flush : mark) static_cast<void>(appender.written(flush));
    EXPECT_TRUE(appender.drained());
}

TEST_F(Appending, WhatHasNotBeenToldWhenItEndsIsInFlightOrWaits) {
    ASSERT_TRUE(offer(48));
    ASSERT_EQ(flushes().size(), 1U);
    ASSERT_TRUE(offer(48));
    ASSERT_TRUE(offer(56));
    const Appender::Untold untold = appender.end();
    EXPECT_EQ(untold.in_flight.size(), 1U);
    EXPECT_EQ(untold.waiting.size(), 2U);
}

}  // namespace
}  // namespace understudy::journal
