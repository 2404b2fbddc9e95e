#include "journal/batcher.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy::journal {
namespace {

constexpr std::uint64_t segment_bytes = 64 * KiB;
constexpr std::uint64_t batch_generation = first_generation(0x2a);
constexpr Batcher::Options options{.segment_bytes = segment_bytes, .queue_bytes_max = 256 * KiB};

Tail tail_at(std::uint64_t used) {
    return {.generation = batch_generation,
            .segment_bytes = segment_bytes,
            .used_bytes = used,
            .chain = {.last = {1}, .epoch = {1}, .checksum = 77}};
}

/// An append that takes exactly `bytes` on disk.
Append append_of(std::uint64_t bytes, Urgency urgency = Urgency::ordinary,
                 EntryType type = EntryType::command) {
    Append append{.drafts = {}, .urgency = urgency, .done = {}};
    append.drafts.push_back({.type = type, .body = Buffer(bytes - entry_header_bytes)});
    return append;
}

Result<void> offer(Batcher& batcher, std::uint64_t bytes, Urgency urgency = Urgency::ordinary) {
    Append append = append_of(bytes, urgency);
    return batcher.offer(append);
}

TEST(Batcher, RefusesWhatFitsNoSegment) {
    Batcher batcher(tail_at(64), Batcher::Reserve::ready, options);
    const auto refused = offer(batcher, append_bytes_max(segment_bytes) + 8);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    EXPECT_EQ(refused.error().effect, Effect::none);
    EXPECT_TRUE(offer(batcher, append_bytes_max(segment_bytes)));
    EXPECT_TRUE(batcher.form().batch);
}

TEST(Batcher, RefusesBodiesBeyondTheLimitWhateverTheSegment) {
    Batcher batcher(tail_at(64), Batcher::Reserve::ready,
                    {.segment_bytes = 64 * MiB, .queue_bytes_max = 64 * MiB});
    Append append = append_of(entry_header_bytes + body_bytes_max + 8);
    const auto refused = batcher.offer(append);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    EXPECT_EQ(append.drafts.size(), 1U) << "what is refused stays with its owner";
}

TEST(Batcher, BoundsWhatWaitsForEachUrgency) {
    Batcher batcher(tail_at(64), Batcher::Reserve::ready,
                    {.segment_bytes = segment_bytes, .queue_bytes_max = 1000});
    EXPECT_TRUE(offer(batcher, 1000));
    const auto refused = offer(batcher, 48);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    EXPECT_TRUE(offer(batcher, 1000, Urgency::promotion));
    EXPECT_FALSE(offer(batcher, 48, Urgency::promotion));

    ASSERT_TRUE(batcher.form().batch);
    EXPECT_TRUE(batcher.idle());
    EXPECT_EQ(batcher.waiting_bytes(), 0U);
    EXPECT_TRUE(offer(batcher, 1000));
}

TEST(Batcher, OneBatchHoldsWhatHasCollectedPromotionsFirst) {
    Batcher batcher(tail_at(64), Batcher::Reserve::ready, options);
    ASSERT_TRUE(offer(batcher, 48));
    ASSERT_TRUE(offer(batcher, 56));
    ASSERT_TRUE(offer(batcher, 64, Urgency::promotion));

    const auto formed = batcher.form();
    ASSERT_TRUE(formed.batch);
    const Batch& batch = *formed.batch;
    EXPECT_EQ(batch.offset, 64U);
    EXPECT_FALSE(batch.begins_segment);
    ASSERT_EQ(batch.placed.size(), 3U);
    EXPECT_EQ(batch.placed[0].body_bytes, 24U);
    EXPECT_EQ(batch.placed[1].body_bytes, 8U);
    EXPECT_EQ(batch.placed[2].body_bytes, 16U);

    Chain chain{.last = {1}, .epoch = {1}, .checksum = 77};
    Bytes rest = batch.bytes;
    for (const Batch::Placed& placed : batch.placed) {
        const auto entry = decode(rest, checksum_seed(batch_generation));
        ASSERT_TRUE(entry);
        EXPECT_EQ(entry->header.index, placed.index);
        EXPECT_EQ(entry->header.link.synced, Index{1}) << "what was durable before the batch";
        chain.advance(entry->header);
        rest = rest.subspan(entry->header.encoded_bytes());
    }
    EXPECT_TRUE(rest.empty());
    EXPECT_EQ(chain, batcher.tail().chain);
    EXPECT_FALSE(batcher.form().batch);
}

TEST(Batcher, ABatchIsBoundedButForOneLongAppend) {
    Batcher batcher({.generation = batch_generation,
                     .segment_bytes = 64 * MiB,
                     .used_bytes = 64,
                     .chain = {.last = {1}, .epoch = {1}, .checksum = 0}},
                    Batcher::Reserve::ready,
                    {.segment_bytes = 64 * MiB, .queue_bytes_max = 64 * MiB});
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(offer(batcher, 600 * KiB));
    ASSERT_TRUE(offer(batcher, 2 * MiB));
    for (const std::uint64_t expected : {600 * KiB, 600 * KiB, 600 * KiB, 2 * MiB}) {
        const auto formed = batcher.form();
        ASSERT_TRUE(formed.batch);
        EXPECT_EQ(formed.batch->bytes.size(), expected);
    }
}

TEST(Batcher, TheReserveBecomesTheSegmentWhenTheNextAppendDoesNotFit) {
    Batcher batcher(tail_at(segment_bytes - 48), Batcher::Reserve::ready, options);
    ASSERT_TRUE(offer(batcher, 48));
    ASSERT_TRUE(offer(batcher, 48));

    const auto first = batcher.form();
    ASSERT_TRUE(first.batch);
    EXPECT_FALSE(first.batch->begins_segment);
    EXPECT_EQ(first.batch->placed.size(), 1U) << "a batch lies in one segment";
    const Chain before = batcher.tail().chain;

    const auto second = batcher.form();
    ASSERT_TRUE(second.batch);
    EXPECT_TRUE(second.batch->begins_segment);
    EXPECT_EQ(second.batch->offset, 0U);
    EXPECT_EQ(batcher.tail().generation, batch_generation + 1);
    EXPECT_EQ(batcher.tail().used_bytes, segment_header_bytes + 48);
    EXPECT_EQ(batcher.reserve(), Batcher::Reserve::wanted);
    const auto header = decode_segment_header(second.batch->bytes, batch_generation + 1);
    ASSERT_TRUE(header && *header);
    EXPECT_EQ((*header)->first, before.last.next());
    EXPECT_EQ((*header)->previous, before.checksum);
}

TEST(Batcher, WithoutReserveOrdinaryAppendsWaitUntilItsFateIsKnown) {
    Batcher batcher(tail_at(ordinary_limit(segment_bytes)), Batcher::Reserve::wanted, options);
    ASSERT_TRUE(offer(batcher, 48));
    const auto waiting = batcher.form();
    EXPECT_FALSE(waiting.batch);
    EXPECT_TRUE(waiting.refused.empty());
    EXPECT_EQ(batcher.space(), Space::ok);

    batcher.reserve_made();
    const auto formed = batcher.form();
    ASSERT_TRUE(formed.batch);
    EXPECT_FALSE(formed.batch->begins_segment) << "there is room to the end, once a reserve is";
}

TEST(Batcher, APromotionOvertakesAnAppendThatWaits) {
    Batcher batcher(tail_at(ordinary_limit(segment_bytes)), Batcher::Reserve::wanted, options);
    ASSERT_TRUE(offer(batcher, 48));
    ASSERT_FALSE(batcher.form().batch);
    ASSERT_TRUE(offer(batcher, 56, Urgency::promotion));
    const auto formed = batcher.form();
    ASSERT_TRUE(formed.batch);
    ASSERT_EQ(formed.batch->placed.size(), 1U);
    EXPECT_EQ(formed.batch->placed[0].body_bytes, 16U);
    EXPECT_FALSE(batcher.idle());
}

TEST(Batcher, OnAFullDiskOrdinaryAppendsAreRefusedBeforeAnyWrite) {
    Batcher batcher(tail_at(ordinary_limit(segment_bytes) - 48), Batcher::Reserve::wanted, options);
    batcher.reserve_failed();
    ASSERT_TRUE(offer(batcher, 48));
    ASSERT_TRUE(offer(batcher, 48));
    ASSERT_TRUE(offer(batcher, 48));
    const auto formed = batcher.form();
    ASSERT_TRUE(formed.batch);
    EXPECT_EQ(formed.batch->placed.size(), 1U) << "up to the limit";
    EXPECT_EQ(formed.refused.size(), 2U);
    EXPECT_EQ(batcher.space(), Space::reserve_only);

    const auto refused = offer(batcher, 48);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::no_space);
    EXPECT_EQ(refused.error().effect, Effect::none);
}

TEST(Batcher, PromotionsGetTheRoomThatIsPromised) {
    Batcher batcher(tail_at(ordinary_limit(segment_bytes)), Batcher::Reserve::wanted, options);
    batcher.reserve_failed();
    std::uint64_t written = 0;
    for (;;) {
        ASSERT_TRUE(offer(batcher, 512, Urgency::promotion));
        const auto formed = batcher.form();
        if (!formed.batch) {
            EXPECT_EQ(formed.refused.size(), 1U);
            break;
        }
        written += 512;
    }
    EXPECT_EQ(written, promotion_bytes(segment_bytes));
    EXPECT_EQ(batcher.tail().used_bytes, promotion_limit(segment_bytes));
}

TEST(Batcher, ARefusalLastsUntilAReserveIsMade) {
    Batcher batcher(tail_at(ordinary_limit(segment_bytes) - 48), Batcher::Reserve::wanted, options);
    batcher.reserve_failed();
    ASSERT_TRUE(offer(batcher, 56));
    EXPECT_EQ(batcher.form().refused.size(), 1U);
    EXPECT_FALSE(offer(batcher, 48)) << "it would fit, but would come before the refused one";

    batcher.reserve_failed();
    EXPECT_EQ(batcher.space(), Space::reserve_only);
    batcher.reserve_made();
    EXPECT_EQ(batcher.space(), Space::ok);
    EXPECT_TRUE(offer(batcher, 56));
    EXPECT_TRUE(batcher.form().batch);
}

// Promotions keep their room, whatever is offered and whenever the disk fills up.
TEST(Batcher, RoomForPromotionsIsNeverEatenUp) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        Random random(seed);
        Batcher batcher(tail_at(64), Batcher::Reserve::wanted, options);
        for (int turn = 0; turn < 400; ++turn) {
            Append append = append_of(
                8 * random.between(std::uint64_t{5}, append_bytes_max(segment_bytes) / 8));
            if (batcher.offer(append)) static_cast<void>(batcher.form());
            const bool ready = batcher.reserve() == Batcher::Reserve::ready;
            const std::uint64_t used = batcher.tail().used_bytes;
            ASSERT_TRUE(ready || used <= ordinary_limit(segment_bytes)) << seed << " " << turn;
            if (!ready && random.chance(1, 3)) {
                random.chance(1, 2) ? batcher.reserve_made() : batcher.reserve_failed();
            }
        }
    }
}

TEST(Batcher, WhatWaitsCanBeTakenBack) {
    Batcher batcher(tail_at(64), Batcher::Reserve::wanted, options);
    ASSERT_TRUE(offer(batcher, 48));
    ASSERT_TRUE(offer(batcher, 56, Urgency::promotion));
    const auto waiting = batcher.take_waiting();
    ASSERT_EQ(waiting.size(), 2U);
    EXPECT_EQ(waiting[0].urgency, Urgency::promotion);
    EXPECT_TRUE(batcher.idle());
    EXPECT_EQ(batcher.waiting_bytes(), 0U);
}

TEST(Batcher, KnowsWhenNothingButAMarkWasWrittenLast) {
    Batcher batcher(tail_at(64), Batcher::Reserve::ready, options);
    EXPECT_FALSE(batcher.marked()) << "the entry that began the tenure deserves one";
    Append mark = append_of(entry_header_bytes, Urgency::ordinary, EntryType::mark);
    ASSERT_TRUE(batcher.offer(mark));
    ASSERT_TRUE(batcher.form().batch);
    EXPECT_TRUE(batcher.marked());
    ASSERT_TRUE(offer(batcher, 48));
    ASSERT_TRUE(batcher.form().batch);
    EXPECT_FALSE(batcher.marked());
}

}  // namespace
}  // namespace understudy::journal
