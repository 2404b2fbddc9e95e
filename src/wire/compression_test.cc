#include "wire/compression.h"

#include <string>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"

namespace understudy::wire {
namespace {

constexpr std::size_t plain_max = 4 * MiB;

class Compressing : public testing::TestWithParam<Compression> {
protected:
    Buffer compressed(Bytes plain) {
        const auto bytes = compressor.compress(GetParam(), plain);
        EXPECT_TRUE(bytes);
        return Buffer(bytes->begin(), bytes->end());
    }
    Errc refusal(Bytes payload, std::size_t limit = plain_max) {
        const auto restored = compressor.restore(GetParam(), payload, limit);
        return restored ? Errc{} : restored.error().code;
    }
    static Buffer with_size(Buffer payload, std::uint32_t size) {
        std::memcpy(payload.data(), &size, sizeof size);
        return payload;
    }

    Compressor compressor;
};

std::string some_text(std::size_t lines) {
    std::string text;
    for (std::size_t line = 0; line < lines; ++line) text += "line " + std::to_string(line) + "\n";
    return text;
}

TEST_P(Compressing, DamagedBatchesAreRefused) {
    const Buffer payload = compressed(as_bytes(some_text(100)));
    for (std::size_t size = 0; size < payload.size(); ++size) {
        EXPECT_EQ(refusal(Bytes(payload).first(size)), Errc::corrupt) << "cut to " << size;
    }
    Buffer longer = payload;
    longer.push_back(std::byte{0});
    EXPECT_EQ(refusal(longer), Errc::corrupt);
}

// A peer may claim any size. Only the size of what it sends counts.
TEST_P(Compressing, AWrongSizeIsRefused) {
    const std::string text = some_text(100);
    const Buffer payload = compressed(as_bytes(text));
    const auto size = static_cast<std::uint32_t>(text.size());
    EXPECT_EQ(refusal(with_size(payload, size - 1)), Errc::corrupt);
    EXPECT_EQ(refusal(with_size(payload, size + 1)), Errc::corrupt);
    EXPECT_EQ(refusal(with_size(payload, 0)), Errc::corrupt);
}

// The claim is refused before memory is spent on it.
TEST_P(Compressing, ABombIsRefusedByWhatItClaims) {
    const Buffer payload = compressed(as_bytes(some_text(100)));
    EXPECT_EQ(refusal(with_size(payload, 0xffffffff)), Errc::limit_exceeded);
    EXPECT_EQ(refusal(with_size(payload, plain_max + 1)), Errc::limit_exceeded);
    EXPECT_EQ(refusal(payload, 100), Errc::limit_exceeded);

    const auto allowed = static_cast<std::uint32_t>(Compressor::plain_allowance +
                                                    (payload.size() - 4) * Compressor::ratio_max);
    EXPECT_EQ(refusal(with_size(payload, allowed + 1)), Errc::limit_exceeded);
    EXPECT_EQ(refusal(with_size(payload, allowed)), Errc::corrupt);
}

// A bomb claims too small a size. The excess is noticed; it is neither cut off nor written.
TEST_P(Compressing, ABombThatUnderstatesItsSizeIsRefused) {
    const Buffer payload = compressed(as_bytes(std::string(200 * KiB, 'x')));
    EXPECT_EQ(refusal(with_size(payload, 1000)), Errc::corrupt);
}

// A payload that restore() would refuse is not made: the batch is sent plain.
TEST_P(Compressing, WhatShrinksBeyondTheRatioIsNotCompressed) {
    const bool zstd = GetParam() == Compression::zstd;  // gzip cannot shrink anything so far.
    EXPECT_EQ(compressor.compress(GetParam(), Buffer(2 * MiB)).has_value(), !zstd);
    EXPECT_TRUE(compressor.compress(GetParam(), Buffer(Compressor::plain_allowance)));
}

TEST_P(Compressing, WhatDoesNotShrinkIsNotCompressed) {
    Random random(1);
    Buffer noise(4096);
    for (std::byte& each : noise) each = static_cast<std::byte>(random.next());
    EXPECT_FALSE(compressor.compress(GetParam(), noise));
    EXPECT_FALSE(compressor.compress(GetParam(), as_bytes("abc")));
    EXPECT_FALSE(compressor.compress(GetParam(), Bytes()));
}

// restore() accepts everything that compress() returns, also if the ratio is near its bound.
TEST_P(Compressing, EverythingCompressedIsRestored) {
    Random random(2);
    for (int turn = 0; turn < 300; ++turn) {
        const std::size_t size = random.below(turn % 50 == 0 ? 2 * MiB : 20 * KiB);
        const std::uint64_t letters = 1 + random.below(60);
        Buffer plain(size);
        for (std::byte& each : plain) each = static_cast<std::byte>(random.below(letters));
        const auto bytes = compressor.compress(GetParam(), plain);
        if (!bytes) continue;
        const Buffer payload(bytes->begin(), bytes->end());
        EXPECT_LT(payload.size(), plain.size());

        const auto restored = compressor.restore(GetParam(), payload, plain_max);
        ASSERT_TRUE(restored) << "turn " << turn << ": " << to_string(restored.error());
        EXPECT_TRUE(std::equal(restored->begin(), restored->end(), plain.begin(), plain.end()))
            << "turn " << turn;
    }
}

// Each batch is independent: a damaged one does not affect the next ones.
TEST_P(Compressing, BatchesDoNotDependOnEarlierOnes) {
    const std::string text = some_text(200);
    const Buffer payload = compressed(as_bytes(text));
    EXPECT_EQ(refusal(Bytes(payload).first(payload.size() / 2)), Errc::corrupt);
    const auto restored = compressor.restore(GetParam(), payload, plain_max);
    ASSERT_TRUE(restored);
    EXPECT_EQ(as_text(*restored), text);
    EXPECT_EQ(compressed(as_bytes(text)), payload);
}

INSTANTIATE_TEST_SUITE_P(Each, Compressing, testing::Values(Compression::gzip, Compression::zstd),
                         [](const auto& each) { return std::string(name(each.param)); });

TEST(Compression, NamesAreReadAsTheyAreWritten) {
    for (const auto each : {Compression::none, Compression::gzip, Compression::zstd}) {
        EXPECT_EQ(parse_compression(name(each)), each);
    }
    EXPECT_EQ(parse_compression("lz4"), std::nullopt);
}

}  // namespace
}  // namespace understudy::wire
