#include "sim/disk/stored_file.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "sim/disk/paged_file.h"

namespace understudy::sim {
namespace {

constexpr std::size_t sector = StoredFile::sector_bytes;
constexpr Owner writer{1};
constexpr Owner neighbour{2};

Buffer filled(std::size_t size, char with) { return Buffer(size, static_cast<std::byte>(with)); }

Buffer bytes_of(const PagedFile& file) {
    Buffer out(static_cast<std::size_t>(file.size()));
    file.read(0, out);
    return out;
}

std::string text_of(const PagedFile& file) { return std::string(as_text(bytes_of(file))); }

struct Fixture {
    std::shared_ptr<std::uint64_t> used = std::make_shared<std::uint64_t>(0);
    StoredFile file{used};
};

TEST(PagedFile, HolesReadAsZerosAndTakeNoPages) {
    PagedFile file;
    file.resize(1 * MiB);
    EXPECT_EQ(file.allocated_pages(), 0U);
    EXPECT_TRUE(all_zero(bytes_of(file)));
}

TEST(PagedFile, WrittenZerosTakePagesOfTheDisk) {
    PagedFile file;
    file.write(0, Buffer(64 * KiB));
    EXPECT_EQ(file.allocated_pages(), 16U);
    EXPECT_EQ(file.missing_pages(0, 64 * KiB + 1), 1U);
}

TEST(PagedFile, WhatWasCutOffDoesNotComeBack) {
    PagedFile file;
    file.write(0, filled(5000, 'x'));
    file.resize(100);
    file.resize(5000);
    const Buffer read = bytes_of(file);
    EXPECT_EQ(read[99], std::byte{'x'});
    EXPECT_TRUE(all_zero(Bytes(read).subspan(100)));
}

// Compared with a simple second version: one flat buffer.
TEST(PagedFile, BehavesAsAFlatBufferUnderRandomUse) {
    Random random(11);
    PagedFile file;
    Buffer flat;
    for (int i = 0; i < 2000; ++i) {
        const std::size_t offset = random.below(20'000);
        const std::size_t count = random.below(9'000);
        const auto choice = random.below(4);
        if (choice == 0) {
            file.resize(offset);
            flat.resize(offset);
        } else {
            const Buffer data = filled(count, choice == 1 ? '\0' : static_cast<char>('a' + i % 26));
            if (choice == 3) file.write_zeros(offset, count);
            if (choice != 3) file.write(offset, data);
            if (count > 0) flat.resize(std::max(flat.size(), offset + count));
            for (std::size_t at = 0; at < count; ++at) {
                flat[offset + at] = choice == 3 ? std::byte{0} : data[at];
            }
        }
        ASSERT_EQ(bytes_of(file), flat) << "turn " << i;
    }
    const PagedFile copy = file;
    EXPECT_EQ(bytes_of(copy), flat);
    EXPECT_EQ(copy.allocated_pages(), file.allocated_pages());
}

TEST(StoredFile, SyncedBytesSurviveEveryCrash) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Random random(seed);
        Fixture fixture;
        fixture.file.write(0, filled(3000, 'a'), writer);
        fixture.file.sync();
        fixture.file.crash(std::nullopt, random);
        ASSERT_EQ(text_of(fixture.file.cached()), std::string(3000, 'a')) << "seed " << seed;
    }
}

// Over many seeds a crash must lose everything, keep everything, tear between sectors, and keep a
// later write without an earlier one.
TEST(StoredFile, UnsyncedWritesAreLostKeptTornAndReordered) {
    int lost = 0, kept = 0, torn = 0, reordered = 0, grown = 0;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        Random random(seed);
        Fixture fixture;
        fixture.file.write(0, filled(2 * sector, '0'), writer);
        fixture.file.sync();
        fixture.file.write(0, filled(sector, 'a'), writer);
        fixture.file.write(sector, filled(sector, 'b'), writer);
        fixture.file.write(2 * sector, filled(4 * sector, 'c'), writer);

        fixture.file.crash(std::nullopt, random);

        const std::string text = text_of(fixture.file.cached());
        ASSERT_EQ(text, text_of(fixture.file.platter()));
        ASSERT_GE(text.size(), 2 * sector);
        const std::string third = text.substr(2 * sector);
        const bool first = text[0] == 'a', second = text[sector] == 'b';
        const auto in_third = static_cast<std::size_t>(std::count(third.begin(), third.end(), 'c'));
        ASSERT_EQ(in_third % sector, 0U) << "torn inside a sector";
        lost += !first && !second && third.empty();
        kept += first && second && in_third == 4 * sector;
        torn += in_third > 0 && in_third < 4 * sector;
        reordered += !first && second;
        grown += !third.empty() && in_third == 0;
    }
    EXPECT_GT(lost, 50);
    EXPECT_GT(kept, 50);
    EXPECT_GT(torn, 50);
    EXPECT_GT(reordered, 10);
    EXPECT_GT(grown, 10);  // The size was kept without the data.
}

// A sector has one of the versions that it had since the last sync, never a mixture.
TEST(StoredFile, ASectorIsAtOneOfItsVersions) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        Fixture fixture;
        fixture.file.write(0, as_bytes("----"), writer);
        fixture.file.sync();
        fixture.file.write(0, as_bytes("a"), writer);
        fixture.file.write(1, as_bytes("b"), writer);
        fixture.file.write(2, as_bytes("c"), writer);
        fixture.file.crash(std::nullopt, random);
        seen.insert(text_of(fixture.file.cached()));
    }
    EXPECT_EQ(seen, (std::set<std::string>{"----", "a---", "ab--", "abc-"}));
}

TEST(StoredFile, AnUnsyncedTruncateMayBeLost) {
    std::set<std::size_t> sizes;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Random random(seed);
        Fixture fixture;
        fixture.file.write(0, filled(1000, 'a'), writer);
        fixture.file.sync();
        fixture.file.truncate(10, writer);
        fixture.file.crash(std::nullopt, random);
        sizes.insert(fixture.file.cached().size());
    }
    EXPECT_EQ(sizes, (std::set<std::size_t>{10, 1000}));
}

// As on Linux: after a failed sync the pages are clean, the next sync succeeds, and the data can be
// read until the power fails.
TEST(StoredFile, AFailedSyncForgetsTheDataAndTheNextOneSucceeds) {
    int gone = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        Random random(seed);
        Fixture fixture;
        fixture.file.write(0, filled(sector, 'a'), writer);
        fixture.file.fail_sync(random);
        fixture.file.sync();
        ASSERT_EQ(text_of(fixture.file.cached()), std::string(sector, 'a'));

        fixture.file.crash(std::nullopt, random);

        gone += text_of(fixture.file.cached()) != std::string(sector, 'a');
    }
    EXPECT_GT(gone, 30);
    EXPECT_LT(gone, 90);  // Sometimes the data was on the platter after all.
}

TEST(StoredFile, ACrashOfOneProcessSparesItsNeighboursWrites) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        Random random(seed);
        Fixture fixture;
        fixture.file.write(0, filled(sector, 'a'), neighbour);
        fixture.file.write(sector, filled(sector, 'b'), writer);
        fixture.file.crash(writer, random);
        ASSERT_EQ(text_of(fixture.file.cached()).substr(0, sector), std::string(sector, 'a'));
    }
}

TEST(StoredFile, BeyondTheBoundTheOldestWriteIsWrittenBack) {
    Fixture fixture;
    for (std::size_t i = 0; i <= StoredFile::pending_max; ++i) {
        fixture.file.write(i, as_bytes("x"), writer);
    }
    EXPECT_EQ(text_of(fixture.file.platter()), "x");
}

TEST(StoredFile, ItsPagesAreGivenBackWhenItGoes) {
    const auto used = std::make_shared<std::uint64_t>(0);
    {
        StoredFile file(used);
        file.hold();
        file.write(0, Buffer(10 * KiB), writer);
        EXPECT_EQ(*used, 3U);
        file.truncate(1, writer);
        EXPECT_EQ(*used, 1U);
        file.drop();
        EXPECT_EQ(*used, 0U);
        file.hold();
        EXPECT_EQ(*used, 1U);
    }
    EXPECT_EQ(*used, 0U);
}

}  // namespace
}  // namespace understudy::sim
