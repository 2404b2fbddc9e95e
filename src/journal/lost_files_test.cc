// A disk, a repair of the file system or a person has emptied, cut, removed or filled files with
// zeros. Either everything that was acknowledged is there, or the opening reports that it is not.

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/fakes/session_test.h"
#include "journal/node_log/node_session_test.h"
#include "journal/shared/shared_member_test.h"
#include "journal/shared/shared_names.h"
#include "journal/walk/repair.h"
#include "journal/walk/walk.h"

namespace understudy::journal {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::size_t long_command = 20'000;  // Three fit into a segment.

enum class Loss { emptied, halved, cut_by_a_byte, zeros, removed };
constexpr Loss all_losses[] = {Loss::emptied, Loss::halved, Loss::cut_by_a_byte, Loss::zeros,
                               Loss::removed};
std::string to_text(Loss loss) {
    switch (loss) {
        case Loss::emptied: return "emptied";
        case Loss::halved: return "halved";
        case Loss::cut_by_a_byte: return "cut by a byte";
        case Loss::zeros: return "zeros";
        case Loss::removed: return "removed";
    }
    return {};
}

/// Returns false if that changes nothing.
bool lose(FakeDisk& disk, const std::string& path, Loss loss) {
    const Buffer before = disk.contents(path);
    Buffer after = before;
    switch (loss) {
        case Loss::emptied: after.clear(); break;
        case Loss::halved: after.resize(before.size() / 2); break;
        case Loss::cut_by_a_byte: after.resize(before.empty() ? 0 : before.size() - 1); break;
        case Loss::zeros: after.assign(before.size(), std::byte{}); break;
        case Loss::removed: disk.erase(path); return true;
    }
    if (after == before) return false;
    disk.put(path, std::move(after));
    return true;
}

Walked walked_through(FakeDisk& disk, const std::string& where) {
    WalkVisitor visitor;
    auto found = walk(disk, where, WalkDepth::everything, visitor);
    EXPECT_TRUE(found) << to_string(found.error());
    return found ? *std::move(found) : Walked{};
}

std::string damages_of(const Walked& found) {
    std::string text;
    for (const Damage& one : found.damages) {
        text += one.file + ": entry " + std::to_string(one.entry.value) + ": " + one.why + "\n";
    }
    return text;
}

/// A directory of one kind with acknowledged entries in it.
class LostFiles {
public:
    virtual ~LostFiles() = default;
    /// Fills it. `closed`: the process ends in order; otherwise it is killed.
    virtual void make(FakeDisk& disk, bool closed) = 0;
    /// Returns the error of the opening. Without an error, everything that was acknowledged is
    /// there.
    virtual std::optional<Error> open(FakeDisk& disk) = 0;
    [[nodiscard]] virtual std::string where() const { return directory; }
};

class LostLocal final : public LostFiles {
public:
    explicit LostLocal(bool trims) : trims_(trims) {}

    void make(FakeDisk& disk, bool closed) override {
        acknowledged_.clear();
        Session session(disk);
        session.opened();
        for (int i = 0; i < 11; ++i) {
            acknowledged_.push_back(std::to_string(i) + std::string(long_command, 'x'));
            ASSERT_TRUE(session.append(acknowledged_.back()));
            if (trims_ && (i == 3 || i == 6)) {
                ASSERT_TRUE(session.checkpoint(std::to_string(i + 1)));
            }
        }
        session.runtime.settle();
        if (closed) {
            ASSERT_TRUE(session.close());
        }
        session.journal.reset();
        session.runtime.settle();
        disk.power_cut(FakeDisk::Survival::none);
    }
    std::optional<Error> open(FakeDisk& disk) override {
        disk.restart_process();
        Session session(disk, 7);
        session.opened();
        if (session.error) return session.error;
        const std::string& restored = session.recorder.restored;
        std::vector<std::string> found(
            acknowledged_.begin(),
            acknowledged_.begin() + (restored.empty() ? 0 : std::stol(restored)));
        for (const std::string& one : session.recorder.commands()) found.push_back(one);
        EXPECT_EQ(found, acknowledged_) << "acknowledged, and silently gone";
        return std::nullopt;
    }

private:
    const bool trims_;
    std::vector<std::string> acknowledged_;
};

class LostShared final : public LostFiles {
public:
    explicit LostShared(bool trims) : trims_(trims) {}

    void make(FakeDisk& disk, bool closed) override {
        oracle_ = {};
        {
            SharedMember first(disk, oracle_, "a", 1);
            first.opened();
            ASSERT_TRUE(first.take_over());
            ASSERT_TRUE(first.append(5, long_command));
        }
        SharedMember second(disk, oracle_, "b", 2);
        second.opened();
        ASSERT_TRUE(second.take_over());
        for (int i = 0; i < 8; ++i) {
            ASSERT_TRUE(second.append(1, long_command));
            if (trims_ && (i == 2 || i == 4)) {
                ASSERT_TRUE(second.checkpoint());
            }
        }
        second.runtime.settle();
        if (closed) {
            ASSERT_TRUE(second.close());
        }
        second.mount.kill();
        disk.power_cut(FakeDisk::Survival::none);
    }
    std::optional<Error> open(FakeDisk& disk) override {
        SharedOracle oracle = oracle_;
        SharedMember last(disk, oracle, "z", 9);
        last.opened();
        if (last.error) return last.error;
        const auto taken = last.take_over();
        EXPECT_TRUE(taken);
        if (!*taken) return taken->error();
        oracle.found(last.history());
        EXPECT_THAT(oracle.faults, IsEmpty());
        return std::nullopt;
    }

private:
    const bool trims_;
    SharedOracle oracle_;
};

class LostNode final : public LostFiles {
public:
    [[nodiscard]] std::string where() const override { return node_directory; }

    void make(FakeDisk& disk, bool closed) override {
        model_ = {};
        NodeSession session(disk);
        session.opened();
        for (int i = 0; i < 24; ++i) {
            const std::uint64_t id = i % 5 == 0 ? 2 : 1;
            GroupWrite write;
            write.entries.push_back(entry_of(1, std::to_string(i) + std::string(9'000, 'x')));
            // The first group keeps only its newest entries, so that segments are trimmed.
            if (id == 1 && i > 4) write.trim = Index{static_cast<std::uint64_t>(i) - 4};
            model_.write(id, write);
            const auto position = session.log->write({id}, std::move(write), Urgency::ordinary);
            ASSERT_TRUE(position);
            ASSERT_TRUE(session.runtime.run_until(
                [&] { return session.log->durable() >= *position; }));
            session.runtime.settle();
        }
        if (closed) {
            ASSERT_TRUE(session.close());
        }
        session.log.reset();
        session.runtime.settle();
        disk.power_cut(FakeDisk::Survival::none);
    }
    std::optional<Error> open(FakeDisk& disk) override {
        disk.restart_process();
        NodeSession session(disk, 7);
        session.opened();
        if (session.error) return session.error;
        EXPECT_EQ(session.contents({1, 2}), model_) << "acknowledged, and silently gone";
        return std::nullopt;
    }

private:
    NodeModel model_;
};

/// Tries each loss of each file.
void expect_no_silent_loss(LostFiles& kind, std::size_t refusals_min) {
    for (const bool closed : {false, true}) {
        FakeDisk whole(1);
        kind.make(whole, closed);
        if (testing::Test::HasFatalFailure()) return;
        {
            FakeDisk disk = whole;
            EXPECT_EQ(damages_of(walked_through(disk, kind.where())), "") << "nothing is lost yet";
            EXPECT_FALSE(kind.open(disk));
        }
        std::size_t refusals = 0;
        for (const std::string& path : whole.names()) {
            for (const Loss loss : all_losses) {
                SCOPED_TRACE(path + " " + to_text(loss) + (closed ? ", closed" : ", killed"));
                FakeDisk disk = whole;
                if (!lose(disk, path, loss)) continue;
                const std::string damages = damages_of(walked_through(disk, kind.where()));
                const auto error = kind.open(disk);
                if (!error) continue;
                ++refusals;
                EXPECT_EQ(error->code, Errc::corrupt) << to_string(*error);
                EXPECT_THAT(error->detail, AnyOf(HasSubstr(".seg"), HasSubstr("no segment")));
                EXPECT_NE(damages, "") << "refused (" << error->detail << "), and called good";
            }
        }
        EXPECT_GE(refusals, refusals_min) << "or nothing was at stake";
    }
}

TEST(LostFiles, NothingOfALocalJournalIsSilentlyGone) {
    LostLocal kind(false);
    expect_no_silent_loss(kind, 20);
}

TEST(LostFiles, NothingOfALocalJournalThatIsTrimmedIsSilentlyGone) {
    LostLocal kind(true);
    expect_no_silent_loss(kind, 10);
}

TEST(LostFiles, NothingOfASharedJournalIsSilentlyGone) {
    LostShared kind(false);
    expect_no_silent_loss(kind, 20);
}

TEST(LostFiles, NothingOfASharedJournalThatIsTrimmedIsSilentlyGone) {
    LostShared kind(true);
    expect_no_silent_loss(kind, 5);
}

TEST(LostFiles, NothingOfANodesLogIsSilentlyGone) {
    LostNode kind;
    expect_no_silent_loss(kind, 10);
}

/// The newest segment that has been begun, and the others.
struct NewestSegment {
    explicit NewestSegment(const Walked& found) {
        for (const WalkedSegment& one : found.segments) {
            if (one.state == WalkedSegment::State::begun) begun = one;
            if (one.state == WalkedSegment::State::reserve) reserve = one;
        }
    }
    WalkedSegment begun;
    WalkedSegment reserve;
};

/// Loses a file in all ways, and expects an error that names the file.
void expect_named(LostFiles& kind, const FakeDisk& whole, const std::string& file) {
    for (const Loss loss : all_losses) {
        SCOPED_TRACE(file + " " + to_text(loss));
        FakeDisk disk = whole;
        ASSERT_TRUE(lose(disk, path_in(kind.where(), file), loss));
        EXPECT_THAT(damages_of(walked_through(disk, kind.where())), HasSubstr(file));
        const auto error = kind.open(disk);
        ASSERT_TRUE(error);
        EXPECT_EQ(error->code, Errc::corrupt);
        EXPECT_THAT(error->detail, HasSubstr(file));
    }
}

TEST(LostFiles, TheNewestSegmentIsNamedWhateverBecameOfIt) {
    LostLocal local(false);
    LostShared shared(false);
    LostNode node;
    for (LostFiles* const kind : std::initializer_list<LostFiles*>{&local, &shared, &node}) {
        FakeDisk whole(1);
        kind->make(whole, true);
        const NewestSegment newest(walked_through(whole, kind->where()));
        expect_named(*kind, whole, newest.begun.name);
    }
}

// A service has just begun: there is one segment, and no other file proves that it was begun.
TEST(LostFiles, TheFirstSegmentOfAllIsMissedWhenItIsTheOnlyOne) {
    FakeDisk whole(1);
    {
        Session session(whole);
        session.opened();
        ASSERT_TRUE(session.append("one"));
    }
    whole.power_cut(FakeDisk::Survival::none);
    const auto segments = files(whole, ".seg");
    ASSERT_THAT(segments, SizeIs(2)) << "and a reserve";
    for (const Loss loss : all_losses) {
        SCOPED_TRACE(to_text(loss));
        FakeDisk disk = whole;
        ASSERT_TRUE(lose(disk, segments[0], loss));
        EXPECT_NE(damages_of(walked_through(disk, directory)), "");
        Session session(disk, 2);
        session.opened();
        ASSERT_TRUE(session.error);
        EXPECT_EQ(session.error->code, Errc::corrupt);
    }
}

TEST(LostFiles, TheOnlySegmentOfASharedJournalIsMissed) {
    FakeDisk whole(1);
    SharedOracle oracle;
    {
        SharedMember first(whole, oracle, "a", 1);
        first.opened();
        ASSERT_TRUE(first.take_over());
        ASSERT_TRUE(first.append());
        first.runtime.settle();
    }
    whole.power_cut(FakeDisk::Survival::none);
    const auto segments = files(whole, ".seg");
    ASSERT_THAT(segments, SizeIs(1));
    for (const Loss loss : all_losses) {
        SCOPED_TRACE(to_text(loss));
        FakeDisk disk = whole;
        ASSERT_TRUE(lose(disk, segments[0], loss));
        EXPECT_NE(damages_of(walked_through(disk, directory)), "");
        SharedOracle other;
        SharedMember next(disk, other, "b", 2);
        next.opened();
        const auto taken = next.journal ? next.take_over() : std::nullopt;
        const auto error = next.error ? next.error
                           : taken && !*taken ? std::optional(taken->error())
                                              : std::nullopt;
        ASSERT_TRUE(error);
        EXPECT_EQ(error->code, Errc::corrupt);
    }
}

// Segments of another epoch must not take the place of the lost segments.
TEST(LostFiles, AnEpochThatHasLostItsSegmentsIsNotSkipped) {
    LostShared kind(false);
    FakeDisk disk(1);
    kind.make(disk, true);
    const SharedNames names = SharedNames::of(*disk.list(directory));
    ASSERT_EQ(names.head(), Epoch{2});
    std::string newest;
    for (const std::uint64_t generation : names.segments.at(Epoch{2})) {
        const std::string name = shared_segment_name(Epoch{2}, generation);
        const Walked found = walked_through(disk, directory);
        const auto there = std::find_if(found.segments.begin(), found.segments.end(),
                                        [&](const auto& one) { return one.name == name; });
        if (there != found.segments.end() && there->first != Index{}) newest = name;
    }
    for (const std::uint64_t generation : names.segments.at(Epoch{2})) {
        disk.erase(path_in(directory, shared_segment_name(Epoch{2}, generation)));
    }
    EXPECT_THAT(damages_of(walked_through(disk, directory)), HasSubstr(newest));
    const auto error = kind.open(disk);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, Errc::corrupt);
    EXPECT_THAT(error->detail, HasSubstr(newest + ": it is missing"));
}

// The claim is written after the segment has been begun. So it may still name the segment before,
// which may already be removed.
TEST(LostFiles, AClaimThatIsBehindIsNoDamage) {
    LostShared kind(true);
    FakeDisk disk(1);
    kind.make(disk, true);
    const SharedNames names = SharedNames::of(*disk.list(directory));
    const std::uint64_t oldest = names.segments.at(Epoch{2}).front();
    ASSERT_GT(segment_count(oldest), 1U) << "the first one has been trimmed";
    const std::string claim = path_in(directory, claim_name(Epoch{2}));
    Buffer content = disk.contents(claim);
    content.resize(last_begun_offset);
    encode(LastBegun{.generation = oldest - 1, .entry = {6}}, content);
    disk.put(claim, content);
    EXPECT_EQ(damages_of(walked_through(disk, directory)), "");
    EXPECT_FALSE(kind.open(disk));
}

TEST(LostFiles, AMissingEpochIsToldAndLosesNothing) {
    LostShared kind(false);
    FakeDisk disk(1);
    kind.make(disk, true);
    disk.erase(path_in(directory, epoch_name));
    EXPECT_THAT(damages_of(walked_through(disk, directory)),
                HasSubstr("epoch: entry 0: it is missing"));
    EXPECT_FALSE(kind.open(disk)) << "names say which epochs there were";
}

TEST(LostFiles, AMissingCheckpointIsToldAndLosesNothing) {
    LostLocal kind(true);
    FakeDisk whole(1);
    kind.make(whole, true);
    const auto checkpoints = files(whole, ".ckpt");
    ASSERT_THAT(checkpoints, SizeIs(2));
    for (const std::string& path : checkpoints) {
        FakeDisk disk = whole;
        disk.erase(path);
        EXPECT_THAT(damages_of(walked_through(disk, directory)), HasSubstr("two checkpoints"));
        EXPECT_FALSE(kind.open(disk));
    }
}

// An older version of the program makes reserves of zeros, and the next reserve may exist before
// the first write to the one before.
TEST(LostFiles, ReservesOfZerosAreReservesStill) {
    LostLocal kind(false);
    FakeDisk disk(1);
    kind.make(disk, true);
    const NewestSegment newest(walked_through(disk, directory));
    const std::uint64_t next = newest.reserve.generation + 1;
    disk.put(path_in(directory, newest.reserve.name), Buffer(64 * KiB));
    disk.put(path_in(directory, segment_name(next)), Buffer(64 * KiB));
    EXPECT_EQ(damages_of(walked_through(disk, directory)), "");
    EXPECT_FALSE(kind.open(disk));
}

// A reserve of this version says which entries were durable. So it proves that the segment before
// it has lost its content.
TEST(LostFiles, AReserveVouchesForTheSegmentBeforeIt) {
    LostLocal kind(false);
    FakeDisk disk(1);
    kind.make(disk, true);
    const NewestSegment newest(walked_through(disk, directory));
    disk.put(path_in(directory, newest.begun.name), Buffer(64 * KiB));
    const Walked found = walked_through(disk, directory);
    ASSERT_THAT(found.damages, SizeIs(1)) << damages_of(found);
    EXPECT_EQ(found.damages[0].file, newest.begun.name);
    EXPECT_EQ(found.damages[0].entry, newest.begun.first);
    const auto error = kind.open(disk);
    ASSERT_TRUE(error);
    const std::string first = std::to_string(newest.begun.first.value);
    EXPECT_THAT(error->detail, HasSubstr("entry " + first + " "));
    EXPECT_THAT(error->detail, HasSubstr(newest.begun.name + " does not hold it"));
}

// After a power cut, any part of the removed files may be there again if no sync followed the
// removal. So files that are no longer needed may have gaps.
TEST(LostFiles, AGapInWhatNothingNeedsIsNoDamage) {
    std::vector<std::pair<std::string, Buffer>> early;
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    for (int i = 0; i < 12; ++i) ASSERT_TRUE(session.append(std::string(long_command, 'x')));
    early.emplace_back(files(disk, ".seg").front(), disk.contents(files(disk, ".seg").front()));
    ASSERT_TRUE(session.checkpoint("[12]"));
    for (int i = 0; i < 9; ++i) {
        ASSERT_TRUE(session.append(std::string(long_command, 'y')));
        ASSERT_TRUE(session.checkpoint("[" + std::to_string(13 + i) + "]"));
    }
    ASSERT_TRUE(session.close());
    session.journal.reset();
    disk.power_cut(FakeDisk::Survival::none);
    ASSERT_FALSE(disk.exists(early[0].first));
    disk.put(early[0].first, early[0].second);
    EXPECT_EQ(damages_of(walked_through(disk, directory)), "");
    Session next(disk, 2);
    next.opened();
    EXPECT_FALSE(next.error) << to_string(*next.error);
}

using LookAtShort = std::function<void(LostFiles&, FakeDisk&, const WalkedSegment&)>;

/// Shortens the newest begun segment of each kind by `bytes`.
void for_each_short(std::size_t bytes, const LookAtShort& look_at) {
    LostLocal local(false);
    LostShared shared(false);
    LostNode node;
    for (LostFiles* const kind : std::initializer_list<LostFiles*>{&local, &shared, &node}) {
        FakeDisk disk(1);
        kind->make(disk, true);
        const WalkedSegment newest = NewestSegment(walked_through(disk, kind->where())).begun;
        ASSERT_LT(newest.used_bytes + bytes + entry_header_bytes, newest.size_bytes);
        Buffer content = disk.contents(path_in(kind->where(), newest.name));
        content.resize(content.size() - bytes);
        disk.put(path_in(kind->where(), newest.name), std::move(content));
        look_at(*kind, disk, newest);
    }
}

TEST(LostFiles, WhereOnlyPaddingIsMissingEveryEntryIsKeptAndZerosRepairIt) {
    for (const std::size_t bytes : {1UL, 4096UL}) {
        for_each_short(bytes, [&](LostFiles& kind, FakeDisk& disk, const WalkedSegment& newest) {
            SCOPED_TRACE(kind.where() + " " + newest.name + " by " + std::to_string(bytes));
            {
                FakeDisk copy = disk;
                const auto error = kind.open(copy);
                ASSERT_TRUE(error);
                EXPECT_EQ(error->code, Errc::corrupt);
                EXPECT_THAT(error->detail, HasSubstr("every entry up to " +
                                                     std::to_string(newest.last.value) +
                                                     " is whole"));
                EXPECT_THAT(error->detail, HasSubstr("\ntry: understudy journal repair "));
            }
            const Walked found = walked_through(disk, kind.where());
            EXPECT_THAT(damages_of(found), HasSubstr("is whole, only bytes"));
            const auto repaired = repair(disk, kind.where(), found);
            ASSERT_TRUE(repaired) << to_string(repaired.error());
            ASSERT_THAT(*repaired, SizeIs(1));
            EXPECT_EQ(repaired->front().file, newest.name);
            EXPECT_EQ(repaired->front().zeros, bytes);
            EXPECT_EQ(damages_of(walked_through(disk, kind.where())), "");
            EXPECT_FALSE(kind.open(disk));
        });
    }
}

TEST(LostFiles, WhatIsMoreThanPaddingIsNotRepaired) {
    LostLocal kind(false);
    FakeDisk whole(1);
    kind.make(whole, true);
    const WalkedSegment newest = NewestSegment(walked_through(whole, directory)).begun;
    const std::string path = path_in(directory, newest.name);
    // Cut in the last entry, after it, and so close after it that another entry may have followed.
    for (const std::uint64_t size :
         {newest.used_bytes - 8, newest.used_bytes, newest.used_bytes + entry_header_bytes - 1}) {
        SCOPED_TRACE(size);
        FakeDisk disk = whole;
        Buffer content = disk.contents(path);
        content.resize(static_cast<std::size_t>(size));
        disk.put(path, content);
        const auto refused = repair(disk, directory, walked_through(disk, directory));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::corrupt);
        EXPECT_EQ(disk.contents(path), content) << "changed all the same";
        const auto error = kind.open(disk);
        ASSERT_TRUE(error);
        EXPECT_THAT(error->detail, Not(HasSubstr("journal repair")));
    }
}

TEST(LostFiles, NothingIsRepairedWhereAnotherFileIsDamagedOrAProcessWorks) {
    for_each_short(1, [](LostFiles& kind, FakeDisk& disk, const WalkedSegment& newest) {
        const std::string path = path_in(kind.where(), newest.name);
        const Buffer before = disk.contents(path);
        Walked found = walked_through(disk, kind.where());
        found.live = true;
        const auto live = repair(disk, kind.where(), found);
        ASSERT_FALSE(live);
        EXPECT_EQ(live.error().code, Errc::in_use);
        found.live = false;
        found.damages.push_back(
            {.entry = {1}, .file = "x.seg", .offset = 0, .why = "its body", .whole_at = 0});
        const auto damaged = repair(disk, kind.where(), found);
        ASSERT_FALSE(damaged);
        EXPECT_EQ(damaged.error().code, Errc::corrupt);
        EXPECT_EQ(disk.contents(path), before);
    });
}

TEST(LostFiles, AJournalThatSomebodyOpensMeanwhileIsNotRepaired) {
    FakeDisk disk(1);
    LostLocal kind(false);
    kind.make(disk, true);
    Walked found = walked_through(disk, directory);
    found.damages.push_back({.entry = {},
                             .file = NewestSegment(found).begun.name,
                             .why = "short",
                             .whole_at = 64 * KiB});
    Session session(disk, 3);
    session.opened();
    ASSERT_TRUE(session.journal);
    const auto refused = repair(disk, directory, found);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::in_use);
}

}  // namespace
}  // namespace understudy::journal
