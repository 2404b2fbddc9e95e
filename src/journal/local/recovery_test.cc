#include "journal/local/recovery.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/checksum.h"
#include "journal/fakes/session_test.h"

namespace understudy::journal {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using Commands = std::vector<std::string>;

/// Where each entry of a segment is.
struct Layout {
    struct Piece {
        Index index;
        std::size_t begin = 0;
        std::size_t end = 0;
    };
    SegmentHeader header;
    std::vector<Piece> entries;
    Chain chain;
    std::size_t end = segment_header_bytes;
};

Layout layout_of(const FakeDisk& disk, const std::string& path) {
    const auto generation = *parse_segment_name(path.substr(path.rfind('/') + 1));
    const Bytes bytes = disk.contents(path);
    Layout layout;
    const auto header = decode_segment_header(bytes, generation);
    EXPECT_TRUE(header && *header) << path;
    layout.header = **header;
    while (const auto entry = decode(bytes.subspan(layout.end), checksum_seed(generation))) {
        const std::size_t begin = layout.end;
        layout.end += entry->header.encoded_bytes();
        layout.entries.push_back({entry->header.index, begin, layout.end});
        layout.chain = {.last = entry->header.index,
                        .epoch = entry->header.epoch,
                        .checksum = entry->header.checksum};
    }
    return layout;
}

void overwrite(FakeDisk& disk, const std::string& path, std::size_t offset, Bytes bytes) {
    Buffer contents = disk.contents(path);
    std::copy(bytes.begin(), bytes.end(), contents.begin() + static_cast<std::ptrdiff_t>(offset));
    disk.put(path, std::move(contents));
}

/// A disk whose journal holds `commands`. The process that wrote them was killed while it was idle.
FakeDisk with_commands(const Commands& commands) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    for (const std::string& command : commands) EXPECT_TRUE(session.append(command));
    session.journal.reset();
    session.runtime.settle();
    disk.power_cut(FakeDisk::Survival::none);
    return disk;
}

Commands commands_on(FakeDisk& disk) {
    disk.restart_process();
    Session session(disk, 7);
    session.opened();
    EXPECT_TRUE(session.journal) << to_string(session.error.value_or(Error{Errc::failed}));
    return session.recorder.commands();
}

std::optional<Error> error_of_opening(FakeDisk& disk) {
    disk.restart_process();
    Session session(disk, 7);
    session.opened();
    return session.error;
}

void expect_damage(FakeDisk& disk, Index index, const std::string& what) {
    const auto error = error_of_opening(disk);
    ASSERT_TRUE(error) << what;
    EXPECT_EQ(error->code, Errc::corrupt) << what;
    EXPECT_THAT(error->detail, StartsWith("entry " + std::to_string(index.value) + " of ")) << what;
}

// The write of the last entry was torn after each of its bytes. After the tear there are zeros,
// noise, or a wrong byte and the rest of the entry.
TEST(Recovery, ATornTailIsCutAtEveryByte) {
    const FakeDisk whole = with_commands({"first", "the last one, of some length"});
    const std::string path = files(whole, ".seg").front();
    const Layout layout = layout_of(whole, path);
    const auto last = layout.entries.back();
    Random random(1);
    for (std::size_t tear = last.begin; tear < last.end; ++tear) {
        for (const std::string_view behind : {"zeros", "noise", "hole"}) {
            FakeDisk disk = whole;
            Buffer contents = disk.contents(path);
            const std::size_t end = behind == "noise" ? tear + 300 : last.end;
            if (behind == "hole") {
                contents[tear] ^= std::byte{0x10};
            } else {
                for (std::size_t at = tear; at < end; ++at) {
                    const auto noise = static_cast<std::byte>(random.below(256));
                    contents[at] = behind == "noise" ? noise : std::byte{0};
                }
            }
            const bool same = contents == disk.contents(path);
            disk.put(path, std::move(contents));
            if (same) continue;  // Only padding was lost.

            disk.restart_process();
            Session session(disk, tear);
            session.opened();
            ASSERT_TRUE(session.journal) << tear << " " << behind << to_string(*session.error);
            EXPECT_EQ(session.recorder.commands(), Commands{"first"}) << tear << " " << behind;
            const Bytes rest = Bytes(disk.contents(path)).subspan(last.begin + entry_header_bytes);
            EXPECT_EQ(Buffer(rest.begin(), rest.end()), Buffer(rest.size())) << "old bytes remain";
            ASSERT_TRUE(session.append("second")) << tear;
            session.journal.reset();
            disk.power_cut(FakeDisk::Survival::none);
            EXPECT_EQ(commands_on(disk), (Commands{"first", "second"})) << tear << " " << behind;
        }
    }
}

TEST(Recovery, EveryFlippedBitBelowWhatWasDurableIsDamageWithItsIndex) {
    FakeDisk whole(1);
    Commands commands;
    {
        Session session(whole);
        session.opened();
        for (std::size_t i = 0; i < 30; ++i) {
            commands.push_back(std::string(2000 + 37 * i, static_cast<char>('a' + i % 26)));
            ASSERT_TRUE(session.append(commands.back()));
        }
        ASSERT_TRUE(session.close());
    }
    whole.power_cut(FakeDisk::Survival::none);
    const auto segments = files(whole, ".seg");
    ASSERT_EQ(segments.size(), 3U) << "two begun and the reserve";

    const auto flip = [&](const std::string& path, std::size_t byte) {
        FakeDisk disk = whole;
        disk.flip(path, byte * 8 + byte % 8);
        return disk;
    };
    for (const std::string& path : {segments[0], segments[1]}) {
        const Layout layout = layout_of(whole, path);
        for (std::size_t byte = 0; byte < segment_header_bytes; ++byte) {
            FakeDisk disk = flip(path, byte);
            expect_damage(disk, layout.header.first, "header, byte " + std::to_string(byte));
        }
        for (const auto& entry : layout.entries) {
            const bool vouched_for =
                path == segments[0] || entry.index != layout.entries.back().index;
            std::size_t step = 1;
            for (std::size_t byte = entry.begin; byte < entry.end; byte += step) {
                const bool in_body = byte >= entry.begin + entry_header_bytes;
                step = in_body && byte + 150 < entry.end ? 97 : 1;
                FakeDisk disk = flip(path, byte);
                const std::string what = path + ", byte " + std::to_string(byte);
                if (vouched_for) {
                    expect_damage(disk, entry.index, what);
                } else {
                    EXPECT_EQ(commands_on(disk), commands) << what << ": the mark of the close";
                }
            }
        }
        for (std::size_t byte = layout.end; byte < 64 * KiB; byte += 997) {
            FakeDisk disk = flip(path, byte);
            EXPECT_EQ(commands_on(disk), commands) << path << ", behind the entries, " << byte;
        }
    }
}

// If no later entry says that the last entry was durable, it could be the torn end of a write.
// Therefore an idle journal writes a mark.
TEST(Recovery, DamageToTheLastEntryIsToldFromATearOnceAMarkFollows) {
    FakeDisk disk(1);
    {
        Session session(disk);
        session.opened();
        ASSERT_TRUE(session.append("last"));
        session.runtime.advance(2s);
    }
    disk.power_cut(FakeDisk::Survival::none);
    const std::string path = files(disk, ".seg").front();
    const Layout layout = layout_of(disk, path);
    ASSERT_EQ(layout.entries.size(), 3U);
    disk.flip(path, layout.entries[1].begin * 8);
    expect_damage(disk, {2}, "the last command");
}

TEST(Recovery, DamageIsNeverRepairedByOpening) {
    FakeDisk disk = with_commands({"one", "two", "three"});
    const std::string path = files(disk, ".seg").front();
    disk.flip(path, layout_of(disk, path).entries[1].begin * 8);
    const Buffer before = disk.contents(path);
    for (int turn = 0; turn < 3; ++turn) expect_damage(disk, {2}, "again");
    EXPECT_EQ(disk.contents(path), before);
}

/// Puts an entry after the last one of `path` that fits to it, with the seed of `generation`.
void plant_next(FakeDisk& disk, const std::string& path, std::uint64_t generation) {
    const Layout layout = layout_of(disk, path);
    Buffer bytes;
    encode({.index = layout.chain.last.next(),
            .epoch = layout.chain.epoch,
            .type = EntryType::command,
            .body = as_bytes("planted")},
           {.previous = layout.chain.checksum, .synced = layout.chain.last},
           checksum_seed(generation), bytes);
    overwrite(disk, path, layout.end, bytes);
}

TEST(Recovery, ValidBytesOfAnOlderSegmentBehindTheTailDoNotCount) {
    const FakeDisk whole = with_commands({"one"});
    const std::string path = files(whole, ".seg").front();
    const std::uint64_t generation = layout_of(whole, path).header.generation;

    FakeDisk control = whole;
    plant_next(control, path, generation);
    EXPECT_EQ(commands_on(control), (Commands{"one", "planted"})) << "it fits but for the seed";

    FakeDisk disk = whole;
    plant_next(disk, path, generation - 1);
    EXPECT_EQ(commands_on(disk), (Commands{"one"}));
}

// The entry was written at this place earlier: it has the right seed and a wrong predecessor.
TEST(Recovery, AnEntryThatDoesNotFollowTheOneBeforeDoesNotCount) {
    FakeDisk disk = with_commands({"one"});
    const std::string path = files(disk, ".seg").front();
    const Layout layout = layout_of(disk, path);
    for (const Link link : {Link{.previous = layout.chain.checksum + 1, .synced = {1}},
                            Link{.previous = layout.chain.checksum, .synced = {1}}}) {
        Buffer bytes;
        const bool wrong_link = link.previous != layout.chain.checksum;
        encode({.index = wrong_link ? Index{3} : Index{4},
                .epoch = layout.chain.epoch,
                .type = EntryType::command,
                .body = as_bytes("stale")},
               link, checksum_seed(layout.header.generation), bytes);
        overwrite(disk, path, layout.end, bytes);
        EXPECT_EQ(commands_on(disk), (Commands{"one"}));
        disk = with_commands({"one"});
    }
}

/// A disk with four segments of commands. The journal was closed.
FakeDisk with_segments(Commands& commands) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    for (std::size_t i = 0; i < 20; ++i) {
        commands.push_back(std::string(10'000, static_cast<char>('a' + i)));
        EXPECT_TRUE(session.append(commands.back()));
    }
    EXPECT_TRUE(session.close());
    disk.power_cut(FakeDisk::Survival::none);
    return disk;
}

TEST(Recovery, AMissingSegmentIsDamage) {
    Commands commands;
    const FakeDisk whole = with_segments(commands);
    const auto segments = files(whole, ".seg");
    ASSERT_EQ(segments.size(), 5U);
    for (std::size_t gone = 0; gone < 3; ++gone) {
        FakeDisk disk = whole;
        disk.erase(segments[gone]);
        expect_damage(disk, layout_of(whole, segments[gone]).header.first, segments[gone]);
    }
}

TEST(Recovery, ASegmentOfZerosInTheMiddleIsDamage) {
    Commands commands;
    const FakeDisk whole = with_segments(commands);
    const auto segments = files(whole, ".seg");
    for (std::size_t gone = 0; gone < 3; ++gone) {
        FakeDisk disk = whole;
        disk.put(segments[gone], Buffer(64 * KiB));
        expect_damage(disk, layout_of(whole, segments[gone]).header.first, segments[gone]);
    }
}

TEST(Recovery, AnOlderCopyOfASegmentIsDamage) {
    Commands commands;
    FakeDisk disk = with_segments(commands);
    const std::string path = files(disk, ".seg")[1];
    const Layout layout = layout_of(disk, path);
    const auto& last = layout.entries.back();
    overwrite(disk, path, last.begin, Buffer(last.end - last.begin));
    expect_damage(disk, last.index, "the end of a segment");
}

TEST(Recovery, ASegmentOfAnotherLengthIsDamage) {
    for (const std::size_t size : {100UL, 64 * KiB + 4096}) {
        FakeDisk disk = with_commands({"one"});
        const std::string path = files(disk, ".seg").front();
        Buffer contents = disk.contents(path);
        contents.resize(size);
        disk.put(path, std::move(contents));
        expect_damage(disk, {1}, std::to_string(size));
    }
}

TEST(Recovery, ASegmentThatFollowsAnotherHistoryIsDamage) {
    Commands commands;
    FakeDisk disk = with_segments(commands);
    const std::string path = files(disk, ".seg")[2];
    SegmentHeader header = layout_of(disk, path).header;
    header.previous += 1;
    Buffer bytes;
    encode(header, bytes);
    overwrite(disk, path, 0, bytes);
    expect_damage(disk, header.first, path);
}

// The segment after the checkpoint has been begun. Its first write was torn after the header.
TEST(Recovery, TheEpochOfACheckpointIsNotUsedTwice) {
    FakeDisk disk(1);
    ASSERT_TRUE(disk.make_directory(directory));
    const Checkpoint checkpoint{.journal = 0x2a, .at = {9}, .epoch = {5}, .checksum = 0xcafe};
    disk.put(path_in(directory, checkpoint_name({9})),
             encode(CheckpointHeader{.checkpoint = checkpoint}));
    Buffer segment;
    encode(SegmentHeader{.generation = first_generation(0x2a) + 3,
                         .size_bytes = 64 * KiB,
                         .first = {10},
                         .previous = 0xcafe},
           segment);
    segment.resize(64 * KiB);
    disk.put(path_in(directory, segment_name(first_generation(0x2a) + 3)), segment);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.journal) << to_string(*session.error);
    EXPECT_EQ(session.journal->epoch(), Epoch{6});
    EXPECT_EQ(session.journal->committed(), Index{10});
}

TEST(Recovery, SegmentsOfTwoJournalsAreRefused) {
    FakeDisk disk = with_commands({"one"});
    disk.put(path_in(directory, segment_name(first_generation(1))), Buffer(64 * KiB));
    const auto error = error_of_opening(disk);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::corrupt);
    EXPECT_THAT(error->detail, HasSubstr("different journals"));
}

TEST(Recovery, FilesThatAreNotOursAreLeftAlone) {
    FakeDisk disk = with_commands({"one"});
    disk.put(path_in(directory, "notes.txt"), Buffer(3));
    disk.put(path_in(directory, "0000000000000000.ckpt.tmp"), Buffer(3));
    EXPECT_EQ(commands_on(disk), (Commands{"one"}));
    EXPECT_TRUE(disk.exists(path_in(directory, "notes.txt")));
    EXPECT_THAT(files(disk, ".tmp"), IsEmpty());
}

/// A disk with two checkpoints, "state 1" after command 12 and "state 2" after command 18, and
/// three commands after them.
FakeDisk with_checkpoints() {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    for (const char* state : {"state 0", "state 1", "state 2"}) {
        for (int i = 0; i < 6; ++i) EXPECT_TRUE(session.append(std::string(15'000, 'x')));
        EXPECT_TRUE(session.checkpoint(state));
    }
    for (const char* command : {"a", "b", "c"}) EXPECT_TRUE(session.append(command));
    EXPECT_TRUE(session.close());
    disk.power_cut(FakeDisk::Survival::all);
    EXPECT_EQ(files(disk, ".ckpt").size(), 2U);
    return disk;
}

TEST(Recovery, StartsFromTheNewestCheckpoint) {
    FakeDisk disk = with_checkpoints();
    Session session(disk, 7);
    session.opened();
    EXPECT_EQ(session.recorder.restored, "state 2");
    EXPECT_EQ(session.recorder.restored_at, Index{19});
    EXPECT_EQ(session.recorder.commands(), (Commands{"a", "b", "c"}));
}

TEST(Recovery, ADamagedCheckpointFallsBackToTheOlderOne) {
    const FakeDisk whole = with_checkpoints();
    const std::string newest = files(whole, ".ckpt").back();
    for (std::size_t byte = 0; byte < whole.contents(newest).size(); ++byte) {
        FakeDisk disk = whole;
        disk.flip(newest, byte * 8);
        Session session(disk, byte);
        session.opened();
        ASSERT_TRUE(session.journal) << byte << to_string(*session.error);
        ASSERT_EQ(session.recorder.restored, "state 1") << byte;
        const Commands commands = session.recorder.commands();
        ASSERT_EQ(commands.size(), 9U);
        EXPECT_EQ(commands.back(), "c");

        ASSERT_TRUE(session.checkpoint("state 3"));
        EXPECT_EQ(files(disk, ".ckpt").size(), 2U) << "the damaged one is gone";
        ASSERT_TRUE(session.close());
        disk.restart_process();
        Session next(disk, byte);
        next.opened();
        EXPECT_EQ(next.recorder.restored, "state 3");
    }
}

// Wherever in its segment the older checkpoint is, everything after it can still be replayed.
TEST(Recovery, TrimmingLeavesWhatTheOlderCheckpointNeeds) {
    for (int before = 1; before <= 12; ++before) {
        FakeDisk disk(1);
        {
            Session session(disk);
            session.opened();
            for (int i = 0; i < before; ++i) ASSERT_TRUE(session.append(std::string(15'000, 'x')));
            ASSERT_TRUE(session.checkpoint("older"));
            for (int i = 0; i < 9; ++i) ASSERT_TRUE(session.append(std::string(15'000, 'y')));
            ASSERT_TRUE(session.checkpoint("newer"));
            ASSERT_TRUE(session.close());
        }
        disk.power_cut(FakeDisk::Survival::all);
        disk.flip(files(disk, ".ckpt").back(), 100);
        Session session(disk, 7);
        session.opened();
        ASSERT_TRUE(session.journal) << before << ": " << to_string(*session.error);
        EXPECT_EQ(session.recorder.restored, "older");
        EXPECT_EQ(session.recorder.commands().size(), 9U) << before;
    }
}

TEST(Recovery, WithoutAnyWholeCheckpointWhatIsTrimmedIsDamage) {
    FakeDisk disk = with_checkpoints();
    for (const std::string& path : files(disk, ".ckpt")) disk.flip(path, 100);
    expect_damage(disk, {1}, "both checkpoints");
}

TEST(Recovery, WithoutAnyWholeCheckpointAJournalThatBeginsAtTheBeginningIsReplayed) {
    FakeDisk disk(1);
    {
        Session session(disk);
        session.opened();
        for (const char* command : {"a", "b"}) ASSERT_TRUE(session.append(command));
        ASSERT_TRUE(session.checkpoint("a and b"));
        ASSERT_TRUE(session.close());
    }
    disk.restart_process();
    disk.flip(files(disk, ".ckpt").front(), 100);
    Session session(disk, 7);
    session.opened();
    ASSERT_TRUE(session.journal);
    EXPECT_EQ(session.recorder.restored_at, Index{});
    EXPECT_EQ(session.recorder.commands(), (Commands{"a", "b"}));
}

TEST(Recovery, ACheckpointVouchesForWhatItHolds) {
    FakeDisk disk(1);
    {
        Session session(disk);
        session.opened();
        for (const char* command : {"a", "b"}) ASSERT_TRUE(session.append(command));
        ASSERT_TRUE(session.checkpoint("a and b"));
        session.journal.reset();
    }
    disk.power_cut(FakeDisk::Survival::none);
    const std::string path = files(disk, ".seg").front();
    disk.flip(path, layout_of(disk, path).entries.back().begin * 8);
    expect_damage(disk, {3}, "the entry that the checkpoint is about");
}

TEST(Recovery, ACheckpointOfAnotherHistoryIsRefused) {
    FakeDisk disk = with_commands({"a", "b", "c"});
    const std::string path = files(disk, ".seg").front();
    const Layout layout = layout_of(disk, path);
    const Checkpoint foreign{.journal = journal_id(layout.header.generation),
                             .at = {3},
                             .epoch = {1},
                             .checksum = 0xbad};
    disk.put(path_in(directory, checkpoint_name({3})),
             encode(CheckpointHeader{.checkpoint = foreign}));
    expect_damage(disk, {3}, "a checkpoint of the same journal in another life");

    const Checkpoint of_another{.journal = 5, .at = {3}, .epoch = {1}, .checksum = 0xbad};
    disk.put(path_in(directory, checkpoint_name({3})),
             encode(CheckpointHeader{.checkpoint = of_another}));
    EXPECT_EQ(commands_on(disk), (Commands{"a", "b", "c"})) << "counts as damaged";
}

// A crash may undo any combination of the removals after which there was no sync.
TEST(Recovery, TrimmedSegmentsThatComeBackAreKnownForWhatTheyAre) {
    Commands commands;
    const FakeDisk before = with_segments(commands);
    const auto segments = files(before, ".seg");
    FakeDisk trimmed = before;
    {
        Session session(trimmed, 7);
        session.opened();
        ASSERT_TRUE(session.checkpoint("state 1"));
        ASSERT_TRUE(session.append("behind"));
        ASSERT_TRUE(session.checkpoint("state 2"));
        ASSERT_TRUE(session.append("and more"));
        ASSERT_TRUE(session.close());
    }
    trimmed.power_cut(FakeDisk::Survival::none);
    for (std::size_t mask = 0; mask < 8; ++mask) {
        FakeDisk disk = trimmed;
        for (std::size_t i = 0; i < 3; ++i) {
            if ((mask >> i & 1) != 0) disk.put(segments[i], before.contents(segments[i]));
        }
        Session session(disk, mask);
        session.opened();
        ASSERT_TRUE(session.journal) << mask << to_string(*session.error);
        EXPECT_EQ(session.recorder.restored, "state 2");
        EXPECT_EQ(session.recorder.commands(), (Commands{"and more"}));
        ASSERT_TRUE(session.checkpoint("state 3"));
        EXPECT_EQ(files(disk, ".seg").size(), 2U) << mask;
    }
}

// The first write into the reserve was torn. Nothing in it was ever acknowledged.
TEST(Recovery, AReserveWithATornFirstWriteIsAReserveAgain) {
    Commands commands;
    const FakeDisk whole = with_segments(commands);
    const auto segments = files(whole, ".seg");
    const std::string& reserve = segments.back();
    const Layout layout = layout_of(whole, segments[3]);
    Buffer write;
    encode(SegmentHeader{.generation = layout.header.generation + 1,
                         .size_bytes = 64 * KiB,
                         .first = layout.chain.last.next(),
                         .previous = layout.chain.checksum},
           write);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        encode({.index = {layout.chain.last.value + i},
                .epoch = layout.chain.epoch,
                .type = EntryType::command,
                .body = as_bytes("never acknowledged")},
               {.previous = layout.chain.checksum, .synced = layout.chain.last},
               checksum_seed(layout.header.generation + 1), write);
    }
    for (std::size_t gone = 0; gone < segment_header_bytes; ++gone) {
        FakeDisk disk = whole;
        Buffer torn = write;
        std::fill(torn.begin(), torn.begin() + static_cast<std::ptrdiff_t>(gone) + 1, std::byte{0});
        overwrite(disk, reserve, 0, torn);
        disk.put(path_in(directory, segment_name(layout.header.generation + 2)), Buffer(64 * KiB));
        ASSERT_EQ(commands_on(disk), commands) << gone;
        EXPECT_EQ(disk.contents(reserve), Buffer(64 * KiB)) << gone;
    }
}

TEST(Recovery, AReserveOfAnotherSizeIsReplaced) {
    FakeDisk disk = with_commands({"one"});
    Session session(disk, 7, 128 * KiB);
    session.opened();
    ASSERT_TRUE(session.journal);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(session.append(std::string(20'000, 'x')));
    ASSERT_TRUE(session.close());
    EXPECT_EQ(disk.contents(files(disk, ".seg")[1]).size(), 128 * KiB);
    EXPECT_EQ(commands_on(disk).size(), 11U);
}

TEST(Recovery, AnotherFormatVersionIsRefusedAndNotTakenForDamage) {
    FakeDisk disk = with_commands({"one"});
    const std::string path = files(disk, ".seg").front();
    const std::uint64_t generation = layout_of(disk, path).header.generation;
    Buffer header = disk.contents(path);
    header.resize(segment_header_bytes);
    header[12] = std::byte{2};
    const std::uint32_t checksum = crc32c(Bytes(header).subspan(12), checksum_seed(generation));
    std::memcpy(header.data() + 8, &checksum, sizeof checksum);
    overwrite(disk, path, 0, header);
    const auto error = error_of_opening(disk);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::bad_config);
    EXPECT_THAT(error->detail, HasSubstr("version 2"));
}

TEST(Recovery, AReadThatFailsEndsTheOpeningOrFallsBackToTheOlderCheckpoint) {
    const FakeDisk whole = with_checkpoints();
    for (int n = 1;; ++n) {
        FakeDisk disk = whole;
        int left = n;
        disk.set_fault([&](std::string_view call, const std::string&) -> std::optional<Errc> {
            if (call == "read" && --left == 0) return Errc::disk_failed;
            return std::nullopt;
        });
        Session session(disk, 7);
        session.opened();
        if (left > 0) {
            EXPECT_GT(n, 5);
            break;
        }
        if (session.journal) {
            EXPECT_EQ(session.recorder.restored, "state 1")
                << "only a checkpoint can be done without";
        } else {
            EXPECT_EQ(session.error->code, Errc::disk_failed);
        }
        disk.set_fault({});
        disk.power_cut(FakeDisk::Survival::all);
        EXPECT_EQ(commands_on(disk), (Commands{"a", "b", "c"})) << n;
    }
}

TEST(Recovery, CheckpointsThatCannotBeReadNowAreNotCalledDamaged) {
    FakeDisk disk = with_checkpoints();
    disk.set_fault([](std::string_view call, const std::string& path) -> std::optional<Errc> {
        if (call == "read" && path.ends_with(".ckpt")) return Errc::disk_failed;
        return std::nullopt;
    });
    const auto error = error_of_opening(disk);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::disk_failed);
    disk.set_fault({});
    EXPECT_EQ(commands_on(disk), (Commands{"a", "b", "c"}));
}

TEST(Recovery, ANewDirectoryMayBeNamedInAnyWay) {
    for (const char* name : {"journal", "./journal", "a/b/", "/journal", "//data//journal//"}) {
        FakeDisk disk(1);
        Recovery recovery(disk, {.directory = name, .segment_bytes = 64 * KiB, .journal = 0x2a});
        ASSERT_TRUE(recovery.begin()) << name;
        const auto slice = recovery.next();
        ASSERT_TRUE(slice && slice->last) << name;
        const auto recovered = recovery.finish();
        ASSERT_TRUE(recovered) << name << to_string(recovered.error());
        EXPECT_EQ(recovered->tail.chain.last, Index{1});
        EXPECT_EQ(recovered->tail.generation, first_generation(0x2a));
    }
}

}  // namespace
}  // namespace understudy::journal
