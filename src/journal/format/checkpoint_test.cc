#include <string>

#include <gtest/gtest.h>

#include "journal/fakes/fake_disk_test.h"
#include "journal/format/checkpoint_file.h"
#include "journal/format/segment.h"

namespace understudy::journal {
namespace {

constexpr Checkpoint checkpoint{.journal = 0x2a, .at = {10'000}, .epoch = {4}, .checksum = 0xcafe};
const std::string checkpoint_directory = "/data";
const std::string checkpoint_path = path_in(checkpoint_directory, checkpoint_name(checkpoint.at));

Buffer file_of(std::string_view state, std::size_t slice_bytes = 7) {
    FakeDisk disk(1);
    CheckpointFile file(disk, checkpoint_directory, checkpoint);
    for (Bytes rest = as_bytes(state); !rest.empty();) {
        const Bytes slice = rest.first(std::min(rest.size(), slice_bytes));
        EXPECT_TRUE(file.write(slice));
        rest = rest.subspan(slice.size());
    }
    EXPECT_TRUE(file.finish());
    return disk.contents(checkpoint_path);
}

Result<std::string> state_in(Buffer file) {
    FakeDisk disk(1);
    disk.put(checkpoint_path, std::move(file));
    auto reader = CheckpointReader::open(disk, checkpoint_directory, checkpoint.at);
    if (!reader) return reader.error();
    EXPECT_EQ((*reader)->checkpoint(), checkpoint);
    std::string state;
    for (bool last = false; !last;) {
        const auto slice = (*reader)->next();
        if (!slice) return slice.error();
        EXPECT_EQ(slice->first, state.empty());
        EXPECT_LE(slice->bytes.size(), CheckpointReader::slice_bytes);
        state += as_text(slice->bytes);
        last = slice->last;
    }
    return state;
}

TEST(Checkpoint, ReadsWhatWasWritten) {
    for (const std::string& state : {std::string(), std::string("state"), std::string(70'000, 's'),
                                     std::string(CheckpointReader::slice_bytes, 't'),
                                     std::string(3 * CheckpointReader::slice_bytes + 1, 'u')}) {
        const auto found = state_in(file_of(state, 50'000));
        ASSERT_TRUE(found) << to_string(found.error());
        EXPECT_TRUE(*found == state) << state.size();
    }
}

TEST(Checkpoint, TheSlicesItWasWrittenInDoNotMatter) {
    EXPECT_EQ(file_of("some state", 1), file_of("some state", 10));
}

TEST(Checkpoint, EveryPrefixIsCorrupt) {
    const Buffer whole = file_of("some state");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto found =
            state_in(Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
        ASSERT_FALSE(found) << size;
        EXPECT_EQ(found.error().code, Errc::corrupt);
    }
}

TEST(Checkpoint, LongerThanItSaysIsCorrupt) {
    Buffer longer = file_of("some state");
    longer.push_back(std::byte{0});
    EXPECT_FALSE(state_in(std::move(longer)));
}

TEST(Checkpoint, EveryFlippedBitIsCorrupt) {
    const Buffer whole = file_of("some state");
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        Buffer flipped = whole;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto found = state_in(std::move(flipped));
        ASSERT_FALSE(found) << "bit " << bit;
        EXPECT_EQ(found.error().code, Errc::corrupt) << "bit " << bit;
    }
}

// The last of several slices is damaged: no slice is given out.
TEST(Checkpoint, NoSliceOfADamagedOneIsGiven) {
    Buffer file = file_of(std::string(3 * MiB, 's'), 1 * MiB);
    file.back() ^= std::byte{1};
    FakeDisk disk(1);
    disk.put(checkpoint_path, std::move(file));
    const auto reader = CheckpointReader::open(disk, checkpoint_directory, checkpoint.at);
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().code, Errc::corrupt);
}

TEST(Checkpoint, OneThatChangesWhileItIsReadIsCorrupt) {
    FakeDisk disk(1);
    disk.put(checkpoint_path, file_of("some state"));
    auto reader = CheckpointReader::open(disk, checkpoint_directory, checkpoint.at);
    ASSERT_TRUE(reader);
    disk.flip(checkpoint_path, 8 * (checkpoint_header_bytes + 2));
    const auto slice = (*reader)->next();
    ASSERT_FALSE(slice);
    EXPECT_EQ(slice.error().code, Errc::corrupt);
}

// Whichever call fails, only the files that existed before are left, and all later calls fail too.
TEST(Checkpoint, AFailureLeavesNothing) {
    for (int n = 1;; ++n) {
        FakeDisk disk(1);
        int left = n;
        disk.set_fault([&](std::string_view call, const std::string&) -> std::optional<Errc> {
            // If is_at cannot answer, it is no failure.
            if (call == "sync_directory" || call == "is_at" || --left != 0) return std::nullopt;
            return Errc::no_space;
        });
        CheckpointFile file(disk, checkpoint_directory, checkpoint);
        Result<void> result = file.write(as_bytes("some"));
        if (result) result = file.write(as_bytes(" state"));
        if (result) result = file.finish();
        if (left > 0) {
            EXPECT_GT(n, 5);
            break;
        }
        ASSERT_FALSE(result) << n;
        EXPECT_EQ(result.error().code, Errc::no_space);
        EXPECT_EQ(result.error().effect, Effect::none);
        EXPECT_TRUE(disk.names().empty()) << n;
        EXPECT_FALSE(file.write({}));
        EXPECT_FALSE(file.finish());
        EXPECT_TRUE(disk.names().empty()) << n;
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
