#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/contract/harness.h"

namespace understudy::contract {

/// Files as a job of a worker uses them.
class DiskContract : public ContractTest {
protected:
    DiskContract() : directory_(harness_->directory(0)) {}

    /// Runs `body` where blocking is allowed.
    void in_job(std::function<void(Disk&)> body) {
        bool done = false;
        on_loop(0, [&] {
            node().worker("contract").submit([&] { body(node().disk()); }, [&] { done = true; });
        });
        ASSERT_TRUE(run_until([&] { return done; }));
    }

    [[nodiscard]] std::string path(const std::string& name) const {
        return directory_ + "/" + name;
    }

    [[nodiscard]] static std::unique_ptr<File> must_open(Disk& disk, const std::string& path,
                                                         Disk::Open how = Disk::Open::create) {
        auto file = disk.open(path, how);
        US_ASSERT(static_cast<bool>(file));
        return std::move(*file);
    }
    [[nodiscard]] static std::string read(File& file, std::uint64_t offset, std::size_t size) {
        Buffer space(size);
        const auto outcome = file.read_at(offset, space);
        return outcome ? std::string(as_text(space)) : to_string(outcome.error());
    }
    template <class T>
    [[nodiscard]] static Errc code(const Result<T>& result) {
        US_ASSERT(!result);
        return result.error().code;
    }

    const std::string directory_;
};

TEST_P(DiskContract, WhatIsNotThereIsNoSuchFile) {
    in_job([this](Disk& disk) {
        EXPECT_EQ(code(disk.open(path("a"), Disk::Open::existing)), Errc::no_such_file);
        EXPECT_EQ(code(disk.open(path("no/a"), Disk::Open::create)), Errc::no_such_file);
        EXPECT_EQ(code(disk.list(path("no"))), Errc::no_such_file);
        EXPECT_EQ(code(disk.remove(path("a"))), Errc::no_such_file);
        EXPECT_EQ(code(disk.sync_directory(path("no"))), Errc::no_such_file);
        EXPECT_EQ(code(disk.rename(path("a"), path("b"))), Errc::no_such_file);
    });
}

TEST_P(DiskContract, AFileInPlaceOfADirectoryIsABadPathAndTheReverseToo) {
    in_job([this](Disk& disk) {
        (void)must_open(disk, path("file"));
        ASSERT_TRUE(disk.make_directory(path("directory")));
        EXPECT_EQ(code(disk.make_directory(path("file"))), Errc::bad_path);
        EXPECT_EQ(code(disk.make_directory(path("file/below"))), Errc::bad_path);
        EXPECT_EQ(code(disk.open(path("file/below"), Disk::Open::existing)), Errc::bad_path);
        EXPECT_EQ(code(disk.open(path("file/below"), Disk::Open::create)), Errc::bad_path);
        EXPECT_EQ(code(disk.open(path("directory"), Disk::Open::existing)), Errc::bad_path);
        EXPECT_EQ(code(disk.list(path("file"))), Errc::bad_path);
        EXPECT_EQ(code(disk.sync_directory(path("file"))), Errc::bad_path);
        EXPECT_EQ(code(disk.rename(path("file"), path("directory"))), Errc::bad_path);
        EXPECT_EQ(code(disk.rename(path("directory"), path("file"))), Errc::bad_path);
        EXPECT_TRUE(must_open(disk, path("file"), Disk::Open::existing));
    });
}

TEST_P(DiskContract, CreateNewSucceedsForOneOnly) {
    in_job([this](Disk& disk) {
        EXPECT_TRUE(disk.open(path("epoch"), Disk::Open::create_new));
        const auto second = disk.open(path("epoch"), Disk::Open::create_new);
        EXPECT_EQ(code(second), Errc::already_exists);
        EXPECT_EQ(second.error().effect, Effect::none);
    });
}

TEST_P(DiskContract, CreateKeepsWhatIsThere) {
    in_job([this](Disk& disk) {
        ASSERT_TRUE(must_open(disk, path("a"))->write_at(0, as_bytes("kept")));
        EXPECT_EQ(read(*must_open(disk, path("a")), 0, 4), "kept");
    });
}

TEST_P(DiskContract, ReadingPastTheEndIsCorrupt) {
    in_job([this](Disk& disk) {
        const auto file = must_open(disk, path("a"));
        ASSERT_TRUE(file->write_at(0, as_bytes("four")));

        Buffer space(5);
        EXPECT_EQ(code(file->read_at(0, space)), Errc::corrupt);
        EXPECT_EQ(code(file->read_at(4, std::span(space).first(1))), Errc::corrupt);
        EXPECT_EQ(code(file->read_at(1000, std::span(space).first(1))), Errc::corrupt);
        EXPECT_TRUE(file->read_at(1000, {}));
    });
}

TEST_P(DiskContract, WritesOverwriteAndExtend) {
    in_job([this](Disk& disk) {
        const auto file = must_open(disk, path("a"));
        ASSERT_TRUE(file->write_at(0, as_bytes("abcdef")));
        ASSERT_TRUE(file->write_at(4, as_bytes("XYZ")));

        const auto size = file->size();
        ASSERT_TRUE(size);
        EXPECT_EQ(*size, 7u);
        EXPECT_EQ(read(*file, 0, 7), "abcdXYZ");
    });
}

TEST_P(DiskContract, AGapReadsAsZeros) {
    in_job([this](Disk& disk) {
        const auto file = must_open(disk, path("a"));
        ASSERT_TRUE(file->write_at(3, as_bytes("x")));
        EXPECT_EQ(read(*file, 0, 4), std::string("\0\0\0x", 4));
    });
}

TEST_P(DiskContract, TruncateCutsAndExtends) {
    in_job([this](Disk& disk) {
        const auto file = must_open(disk, path("a"));
        ASSERT_TRUE(file->write_at(0, as_bytes("abcdef")));
        ASSERT_TRUE(file->truncate(2));
        ASSERT_TRUE(file->truncate(4));
        EXPECT_EQ(read(*file, 0, 4), std::string("ab\0\0", 4));
    });
}

TEST_P(DiskContract, SyncedBytesAreReadThroughAnotherOpen) {
    in_job([this](Disk& disk) {
        const auto writer = must_open(disk, path("a"));
        const auto reader = must_open(disk, path("a"), Disk::Open::existing);
        ASSERT_TRUE(writer->write_at(0, as_bytes("durable")));
        ASSERT_TRUE(writer->sync());
        EXPECT_EQ(read(*reader, 0, 7), "durable");
    });
}

TEST_P(DiskContract, RenameReplacesAndSyncDirectoryMakesItDurable) {
    in_job([this](Disk& disk) {
        ASSERT_TRUE(must_open(disk, path("new"))->write_at(0, as_bytes("new")));
        ASSERT_TRUE(must_open(disk, path("current"))->write_at(0, as_bytes("old")));

        ASSERT_TRUE(disk.rename(path("new"), path("current")));
        ASSERT_TRUE(disk.sync_directory(directory_));

        EXPECT_EQ(read(*must_open(disk, path("current")), 0, 3), "new");
        EXPECT_EQ(code(disk.open(path("new"), Disk::Open::existing)), Errc::no_such_file);
    });
}

TEST_P(DiskContract, AnOpenFileSurvivesItsRemoval) {
    in_job([this](Disk& disk) {
        const auto file = must_open(disk, path("a"));
        ASSERT_TRUE(disk.remove(path("a")));
        ASSERT_TRUE(file->write_at(0, as_bytes("x")));
        EXPECT_EQ(read(*file, 0, 1), "x");
        EXPECT_EQ(code(disk.open(path("a"), Disk::Open::existing)), Errc::no_such_file);
    });
}

TEST_P(DiskContract, ListIsSortedAndComplete) {
    in_job([this](Disk& disk) {
        for (const char* each : {"b", "c", "a"}) (void)must_open(disk, path(each));
        ASSERT_TRUE(disk.make_directory(path("d")));

        const auto names = disk.list(directory_);
        ASSERT_TRUE(names);
        EXPECT_EQ(*names, (std::vector<std::string>{"a", "b", "c", "d"}));
    });
}

TEST_P(DiskContract, MakeDirectoryMakesParentsAndMayBeRepeated) {
    in_job([this](Disk& disk) {
        EXPECT_TRUE(disk.make_directory(path("x/y/z")));
        EXPECT_TRUE(disk.make_directory(path("x/y/z")));
        EXPECT_TRUE(disk.open(path("x/y/z/a"), Disk::Open::create_new));

        (void)must_open(disk, path("file"));
        EXPECT_FALSE(disk.make_directory(path("file")));
    });
}

TEST_P(DiskContract, ALockExcludesEveryOtherOpenUntilItsFileIsClosed) {
    in_job([this](Disk& disk) {
        auto holder = must_open(disk, path("lock"));
        const auto other = must_open(disk, path("lock"));
        ASSERT_TRUE(holder->lock());
        EXPECT_TRUE(holder->lock());  // It holds it already.

        const auto refused = other->lock();
        EXPECT_EQ(code(refused), Errc::in_use);
        EXPECT_EQ(refused.error().effect, Effect::none);

        // A lock of the whole process would be released with any descriptor of the file; this one
        // must not be.
        (void)must_open(disk, path("lock"));
        EXPECT_EQ(code(other->lock()), Errc::in_use);

        holder.reset();
        EXPECT_TRUE(other->lock());
    });
}

TEST_P(DiskContract, AFileIsAtItsNameUntilThatIsRemovedOrGivenToAnother) {
    in_job([this](Disk& disk) {
        const auto file = must_open(disk, path("a"));
        const auto is_at = [&](const std::string& name) {
            const auto there = file->is_at(path(name));
            US_ASSERT(there);
            return *there;
        };
        EXPECT_TRUE(is_at("a"));
        EXPECT_FALSE(is_at("b"));
        EXPECT_FALSE(is_at("no/a"));

        EXPECT_TRUE(disk.rename(path("a"), path("b")));
        EXPECT_FALSE(is_at("a"));
        EXPECT_TRUE(is_at("b"));

        (void)must_open(disk, path("c"));
        EXPECT_TRUE(disk.rename(path("c"), path("b")));
        EXPECT_FALSE(is_at("b"));

        EXPECT_TRUE(disk.remove(path("b")));
        EXPECT_FALSE(is_at("b"));
    });
}

TEST_P(DiskContract, ALockOfADirectoryExcludesEveryOtherOpenOfIt) {
    in_job([this](Disk& disk) {
        EXPECT_EQ(code(disk.open(path("d"), Disk::Open::directory)), Errc::no_such_file);
        ASSERT_TRUE(disk.make_directory(path("d")));
        auto holder = must_open(disk, path("d"), Disk::Open::directory);
        const auto other = must_open(disk, path("d"), Disk::Open::directory);
        ASSERT_TRUE(holder->lock());
        EXPECT_EQ(code(other->lock()), Errc::in_use);

        // No operation inside the directory releases its lock.
        (void)must_open(disk, path("d/lock"));
        EXPECT_TRUE(disk.remove(path("d/lock")));
        EXPECT_TRUE(disk.sync_directory(path("d")));
        EXPECT_EQ(code(other->lock()), Errc::in_use);

        holder.reset();
        EXPECT_TRUE(other->lock());
    });
}

TEST_P(DiskContract, ADirectoryIsNotAtItsNameWhenAnotherStandsThere) {
    in_job([this](Disk& disk) {
        ASSERT_TRUE(disk.make_directory(path("d")));
        const auto held = must_open(disk, path("d"), Disk::Open::directory);
        EXPECT_TRUE(*held->is_at(path("d")));
        ASSERT_TRUE(disk.rename(path("d"), path("away")));
        EXPECT_FALSE(*held->is_at(path("d")));
        ASSERT_TRUE(disk.make_directory(path("d")));
        EXPECT_FALSE(*held->is_at(path("d")));
        EXPECT_TRUE(*held->is_at(path("away")));
    });
}

}  // namespace understudy::contract
