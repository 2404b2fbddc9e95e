#include "journal/checkpoint.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy::journal {
namespace {

constexpr Checkpoint checkpoint{.journal = 0x2a, .at = {10'000}, .epoch = {4}, .checksum = 0xcafe};

Buffer file_of(std::string_view state) {
    Buffer file = encode_checkpoint_header(checkpoint, as_bytes(state));
    const Bytes bytes = as_bytes(state);
    file.insert(file.end(), bytes.begin(), bytes.end());
    return file;
}

TEST(Checkpoint, ReadsWhatWasWritten) {
    for (const std::string& state :
         {std::string(), std::string("state"), std::string(70'000, 's')}) {
        const auto found = decode_checkpoint(file_of(state));
        ASSERT_TRUE(found) << to_string(found.error());
        EXPECT_EQ(found->checkpoint, checkpoint);
        EXPECT_EQ(as_text(found->state), state);
    }
}

TEST(Checkpoint, EveryPrefixIsCorrupt) {
    const Buffer whole = file_of("some state");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto found = decode_checkpoint(
            Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
        ASSERT_FALSE(found) << size;
        EXPECT_EQ(found.error().code, Errc::corrupt);
    }
}

TEST(Checkpoint, LongerThanItSaysIsCorrupt) {
    Buffer longer = file_of("some state");
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode_checkpoint(std::move(longer)));
}

TEST(Checkpoint, EveryFlippedBitIsCorrupt) {
    const Buffer whole = file_of("some state");
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        Buffer flipped = whole;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto found = decode_checkpoint(std::move(flipped));
        ASSERT_FALSE(found) << "bit " << bit;
        EXPECT_EQ(found.error().code, Errc::corrupt) << "bit " << bit;
    }
}

TEST(Checkpoint, NamesGoBothWays) {
    EXPECT_EQ(checkpoint_name({10'000}), "0000000000002710.ckpt");
    EXPECT_EQ(parse_checkpoint_name("0000000000002710.ckpt"), Index{10'000});
    for (const char* wrong : {"0000000000000000.ckpt", "0000000000002710.seg", "2710.ckpt",
                              "0000000000002710.ckpt.tmp"}) {
        EXPECT_FALSE(parse_checkpoint_name(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace understudy::journal
