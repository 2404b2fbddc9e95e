#include "journal/format/segment.h"

#include <cstring>

#include <gtest/gtest.h>

#include "base/checksum.h"

namespace understudy::journal {
namespace {

constexpr SegmentHeader header{
    .generation = 0x2a'00000007, .size_bytes = 64 * KiB, .first = {12}, .previous = 0xcafe};

Buffer encoded_header(const SegmentHeader& what) {
    Buffer out;
    encode(what, out);
    return out;
}

TEST(Segment, HeaderReadsAsWritten) {
    const Buffer bytes = encoded_header(header);
    ASSERT_EQ(bytes.size(), segment_header_bytes);
    const auto found = decode_segment_header(bytes, header.generation);
    ASSERT_TRUE(found);
    ASSERT_TRUE(*found);
    EXPECT_EQ(**found, header);
}

TEST(Segment, HeaderOfAnotherGenerationIsNone) {
    const auto found = decode_segment_header(encoded_header(header), header.generation + 1);
    ASSERT_TRUE(found);
    EXPECT_FALSE(*found);
}

TEST(Segment, EveryFlippedBitOfTheHeaderIsNoticed) {
    const Buffer bytes = encoded_header(header);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        Buffer flipped = bytes;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto found = decode_segment_header(flipped, header.generation);
        ASSERT_TRUE(found) << "bit " << bit;
        EXPECT_FALSE(*found) << "bit " << bit;
    }
}

// If these bytes are not zero, another format was written.
TEST(Segment, ReservedBytesAreZero) {
    for (std::size_t at = 44; at < segment_header_bytes; ++at) {
        Buffer bytes = encoded_header(header);
        bytes[at] = at == 44 ? std::byte{2} : std::byte{1};  // Reused or not: 0 or 1.
        const auto seed = checksum_seed(header.generation);
        const std::uint32_t checksum = crc32c(Bytes(bytes).subspan(12), seed);
        std::memcpy(bytes.data() + 8, &checksum, sizeof checksum);
        const auto found = decode_segment_header(bytes, header.generation);
        ASSERT_TRUE(found);
        EXPECT_FALSE(*found) << at;
    }
}

TEST(Segment, TheHeaderSaysWhetherAnEarlierSegmentStandsBehindTheEntries) {
    SegmentHeader reused = header;
    reused.reused = true;
    const auto found = decode_segment_header(encoded_header(reused), reused.generation);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ(**found, reused);
}

TEST(Segment, EveryPrefixOfTheHeaderIsNone) {
    const Buffer bytes = encoded_header(header);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto found = decode_segment_header(Bytes(bytes).first(size), header.generation);
        ASSERT_TRUE(found);
        EXPECT_FALSE(*found);
    }
}

TEST(Segment, EveryFlippedBitAndEveryPrefixOfAReservesHeaderIsNone) {
    Buffer bytes;
    encode(ReserveHeader{.generation = 7, .size_bytes = 64 * KiB, .durable = {12}}, bytes);
    ASSERT_EQ(bytes.size(), segment_header_bytes);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        Buffer flipped = bytes;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto found = decode_reserve_header(flipped, 7);
        EXPECT_TRUE(found && !*found) << "bit " << bit;
    }
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(*decode_reserve_header(Bytes(bytes).first(size), 7)) << size;
    }
    EXPECT_FALSE(*decode_reserve_header(bytes, 8)) << "of another segment";
}

// One header is written over the other, and any part of it may be there after a crash.
TEST(Segment, AHeaderBehindTheMagicOfTheOtherIsNone) {
    for (const std::uint64_t index : {1U, 12U}) {
        Buffer segment;
        Buffer reserve;
        encode(SegmentHeader{.generation = 7, .size_bytes = 64 * KiB, .first = {index}}, segment);
        encode(ReserveHeader{.generation = 7, .size_bytes = 64 * KiB, .durable = {index}}, reserve);
        std::swap_ranges(segment.begin(), segment.begin() + 8, reserve.begin());
        for (const Buffer& mixed : {segment, reserve}) {
            EXPECT_EQ(*decode_segment_header(mixed, 7), std::nullopt) << index;
            EXPECT_EQ(*decode_reserve_header(mixed, 7), std::nullopt) << index;
        }
    }
}

TEST(Segment, ALengthIsOneInStepsBetweenTheLeastAndTheMost) {
    for (const std::uint64_t good : {segment_bytes_min, 68 * KiB, 1 * MiB, segment_bytes_max}) {
        EXPECT_TRUE(is_segment_length(good)) << good;
    }
    for (const std::uint64_t bad : {std::uint64_t{0}, 60 * KiB, 1 * MiB - 1, 1 * MiB + 512,
                                    segment_bytes_max + segment_bytes_step}) {
        EXPECT_FALSE(is_segment_length(bad)) << bad;
    }
}

TEST(Segment, NamesGoBothWays) {
    EXPECT_EQ(segment_name(0x2a'00000007), "0000002a00000007.seg");
    EXPECT_EQ(parse_segment_name("0000002a00000007.seg"), 0x2a'00000007U);
    EXPECT_EQ(parse_segment_name(segment_name(UINT64_MAX)), UINT64_MAX);
    for (const char* wrong :
         {"", ".seg", "lock", "0000002a00000007", "0000002a00000007.ckpt", "2a00000007.seg",
          "0000002A00000007.seg", "0000002g00000007.seg", "0000002a00000007.seg.tmp",
          "00000002a00000007.seg", "-000002a00000007.seg", "0x00002a00000007.seg"}) {
        EXPECT_FALSE(parse_segment_name(wrong)) << wrong;
    }
}

TEST(Segment, GenerationsSayWhichJournal) {
    EXPECT_EQ(first_generation(0x2a), 0x2a'00000001U);
    EXPECT_EQ(journal_id(first_generation(0x2a) + 5), 0x2aU);
}

// The figures that docs/formats/journal.md promises.
TEST(Segment, RoomIsKeptForPromotionsAndTenures) {
    EXPECT_EQ(promotion_bytes(64 * KiB), 16 * KiB);
    EXPECT_EQ(promotion_bytes(1 * MiB), 256 * KiB);
    EXPECT_EQ(promotion_bytes(4 * GiB), 1 * MiB);
    for (std::uint64_t size = segment_bytes_min; size <= segment_bytes_max; size *= 2) {
        EXPECT_EQ(promotion_limit(size) - ordinary_limit(size), promotion_bytes(size));
        EXPECT_EQ(size - promotion_limit(size), tenure_bytes);
        EXPECT_LE(segment_header_bytes + append_bytes_max(size), ordinary_limit(size));
        EXPECT_LE(append_bytes_max(size), encoded_bytes(body_bytes_max));
    }
    EXPECT_GE(tenure_bytes / entry_header_bytes, 100U);
}

}  // namespace
}  // namespace understudy::journal
