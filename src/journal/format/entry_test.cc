#include "journal/format/entry.h"

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy::journal {
namespace {

constexpr std::uint64_t generation = 0x2a'00000001;

Buffer encoded(const Entry& entry, const Link& link = {}, std::uint64_t in = generation) {
    Buffer out;
    encode(entry, link, checksum_seed(in), out);
    return out;
}

Entry command(std::string_view body) {
    return {.index = {7}, .epoch = {3}, .type = EntryType::command, .body = as_bytes(body)};
}

TEST(Entry, ReadsWhatWasWritten) {
    for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 100U, 5000U}) {
        const std::string body(size, 'x');
        const Link link{.previous = 0xdeadbeef, .synced = {5}};
        Buffer out;
        const auto checksum = encode(command(body), link, checksum_seed(generation), out);
        ASSERT_EQ(out.size(), encoded_bytes(size));
        ASSERT_EQ(out.size() % entry_alignment, 0U);

        const auto found = decode(out, checksum_seed(generation));
        ASSERT_TRUE(found) << size;
        EXPECT_EQ(found->header.index, Index{7});
        EXPECT_EQ(found->header.epoch, Epoch{3});
        EXPECT_EQ(found->header.type, EntryType::command);
        EXPECT_EQ(found->header.link, link);
        EXPECT_EQ(found->header.checksum, checksum);
        EXPECT_EQ(found->header.encoded_bytes(), out.size());
        EXPECT_EQ(as_text(found->body), body);
    }
}

TEST(Entry, EveryPrefixIsNone) {
    const Buffer whole = encoded(command("a body of some length"));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Buffer part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(decode(part, checksum_seed(generation))) << size;
    }
}

TEST(Entry, EveryFlippedBitIsNoticed) {
    const Buffer whole = encoded(command("a body of some length"));
    ASSERT_NE(whole.size(), entry_header_bytes + 21) << "there must be padding to flip";
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        Buffer flipped = whole;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        EXPECT_FALSE(decode(flipped, checksum_seed(generation))) << "bit " << bit;
    }
}

TEST(Entry, ZerosAreNone) {
    const Buffer zeros(4096);
    EXPECT_FALSE(decode(zeros, checksum_seed(generation)));
    EXPECT_FALSE(decode_header(zeros, checksum_seed(generation)));
}

TEST(Entry, OfAnotherSegmentIsNone) {
    for (std::uint64_t other = 1; other < 2000; ++other) {
        const Buffer old = encoded(command("old"), {}, generation + other);
        EXPECT_FALSE(decode(old, checksum_seed(generation))) << other;
    }
}

// The body is damaged, but what the header says is durable still counts.
TEST(Entry, HeaderIsReadApartFromTheBody) {
    Buffer bytes = encoded(command("body"), {.previous = 1, .synced = {6}});
    bytes[entry_header_bytes] ^= std::byte{1};

    EXPECT_FALSE(decode(bytes, checksum_seed(generation)));
    const auto header = decode_header(bytes, checksum_seed(generation));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->link.synced, Index{6});
}

TEST(Entry, RandomBytesAreNone) {
    Random random(1);
    for (int turn = 0; turn < 20'000; ++turn) {
        Buffer bytes(64);
        for (auto& byte : bytes) byte = static_cast<std::byte>(random.below(256));
        bytes[36] = static_cast<std::byte>(random.between(std::uint64_t{1}, std::uint64_t{3}));
        bytes[37] = bytes[38] = bytes[39] = std::byte{0};
        EXPECT_FALSE(decode(bytes, checksum_seed(generation)));
    }
}

}  // namespace
}  // namespace understudy::journal
