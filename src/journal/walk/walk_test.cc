#include "journal/walk/walk.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/checksum.h"
#include "journal/fakes/session_test.h"
#include "journal/format/directory_identity.h"
#include "journal/node_log/node_session_test.h"
#include "journal/shared/shared_member_test.h"
#include "journal/shared/shared_names.h"

namespace understudy::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Remembers what it is told.
class Collector final : public WalkVisitor {
public:
    void begin(const Walked&) override { entries.clear(); }
    Result<void> entry(const Entry& entry, const std::string& file, std::uint64_t offset) override {
        entries.push_back({entry.index, std::string(as_text(entry.body)), file, offset});
        if (on_entry) on_entry(entry.index);
        return {};
    }
    void progress(std::uint64_t bytes, std::uint64_t of_bytes) override {
        EXPECT_LE(bytes, of_bytes);
    }
    struct Seen {
        Index index;
        std::string body;
        std::string file;
        std::uint64_t offset = 0;
    };
    std::vector<Seen> entries;
    std::function<void(Index)> on_entry;
};

Result<Walked> look(Disk& disk, const std::string& where = directory,
                    WalkDepth depth = WalkDepth::everything) {
    Collector collector;
    return walk(disk, where, depth, collector);
}

std::string whole(const std::string& file) { return std::string(directory) + "/" + file; }

bool found_in(const Walked& walked, const std::string& file) {
    return std::any_of(walked.damages.begin(), walked.damages.end(),
                       [&](const Damage& one) { return one.file == file; });
}

/// Three segments and one checkpoint, closed in order.
void make_local(FakeDisk& disk) {
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("one"));
    ASSERT_TRUE(session.checkpoint("[one]"));
    ASSERT_TRUE(session.append(std::string(30'000, 'a')));
    ASSERT_TRUE(session.append("two"));
    ASSERT_TRUE(session.append(std::string(40'000, 'b')));
    ASSERT_TRUE(session.append("three"));
    ASSERT_TRUE(session.close());
}

TEST(Walk, TellsWhatALocalJournalHolds) {
    FakeDisk disk(1);
    make_local(disk);
    const auto before = disk.names();
    Collector collector;
    const auto walked = walk(disk, directory, WalkDepth::everything, collector);
    ASSERT_TRUE(walked) << to_string(walked.error());
    EXPECT_EQ(walked->kind, WalkKind::local);
    EXPECT_FALSE(walked->live);
    EXPECT_THAT(walked->damages, IsEmpty());
    EXPECT_THAT(walked->strays, IsEmpty());
    EXPECT_EQ(walked->first, Index{1});
    EXPECT_EQ(walked->last, collector.entries.back().index);
    EXPECT_EQ(walked->counts[static_cast<std::size_t>(EntryType::tenure)], 1U);
    EXPECT_EQ(walked->counts[static_cast<std::size_t>(EntryType::command)], 5U);
    EXPECT_THAT(walked->tenures, SizeIs(1));
    ASSERT_THAT(walked->checkpoints, SizeIs(1));
    EXPECT_EQ(walked->checkpoints[0].checkpoint->at, Index{2});
    ASSERT_GE(walked->segments.size(), 2U);
    EXPECT_EQ(walked->segments[0].first, Index{1});
    EXPECT_EQ(walked->segments[1].first, walked->segments[0].last.next());
    EXPECT_EQ(walked->segments.back().state, WalkedSegment::State::reserve);
    // The places that it reports are right.
    for (const auto& seen : collector.entries) {
        const Buffer& bytes = disk.contents(whole(seen.file));
        const Bytes there = Bytes(bytes).subspan(static_cast<std::size_t>(seen.offset));
        EXPECT_EQ(as_text(there.subspan(entry_header_bytes, seen.body.size())), seen.body);
    }
    EXPECT_EQ(disk.names(), before);
}

TEST(Walk, WhatIsInUseIsReadAsItIs) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("one"));
    const auto walked = look(disk);
    ASSERT_TRUE(walked);
    EXPECT_TRUE(walked->live);
    EXPECT_THAT(walked->damages, IsEmpty());
    EXPECT_EQ(walked->last, Index{2});

    // Also a walk during which entries are appended and segments are trimmed.
    Collector collector;
    bool busy = false;
    collector.on_entry = [&](Index) {
        if (std::exchange(busy, true)) return;
        for (int i = 0; i < 6; ++i) {
            ASSERT_TRUE(session.append(std::string(30'000, 'x')));
            ASSERT_TRUE(session.checkpoint("state"));
        }
    };
    const auto again = walk(disk, directory, WalkDepth::everything, collector);
    ASSERT_TRUE(again) << to_string(again.error());
    for (const Damage& one : again->damages) ADD_FAILURE() << one.file << " " << one.why;
    session.close();
}

/// Flips a bit in every used byte of each file. Damage to the mark at the very end only looks like
/// a torn end.
TEST(Walk, EveryFlippedBitOfALocalJournalIsFound) {
    FakeDisk disk(1);
    make_local(disk);
    const auto good = look(disk);
    ASSERT_TRUE(good);
    std::size_t segments = 0;
    for (const WalkedSegment& segment : good->segments) {
        if (segment.state != WalkedSegment::State::begun) continue;
        ++segments;
        const bool last = segment.last == good->last;
        const std::uint64_t proven =
            last ? segment.used_bytes - entry_header_bytes : segment.used_bytes;
        const std::string file = whole(segment.name);
        for (std::uint64_t at = 0; at < segment.used_bytes;
             at += at < 300 || at + 100 > segment.used_bytes ? 1 : 4'099) {
            disk.flip(file, at * 8 + 3);
            const auto walked = look(disk);
            ASSERT_TRUE(walked) << to_string(walked.error());
            if (at < proven) {
                EXPECT_TRUE(found_in(*walked, segment.name)) << segment.name << " at " << at;
            } else {
                EXPECT_THAT(walked->strays, SizeIs(1)) << at;
                EXPECT_THAT(walked->damages, IsEmpty()) << at;
            }
            disk.flip(file, at * 8 + 3);
        }
        // A byte after the entries that should be zero is no loss, but it is reported.
        disk.flip(file, (segment.used_bytes + 70) * 8);
        const auto walked = look(disk);
        ASSERT_TRUE(walked);
        EXPECT_THAT(walked->damages, IsEmpty());
        ASSERT_THAT(walked->strays, SizeIs(1));
        EXPECT_EQ(walked->strays[0].offset, segment.used_bytes);
        disk.flip(file, (segment.used_bytes + 70) * 8);
    }
    EXPECT_GE(segments, 2U);
    const std::string checkpoint = good->checkpoints[0].name;
    for (std::uint64_t at = 0; at < disk.contents(whole(checkpoint)).size(); ++at) {
        disk.flip(whole(checkpoint), at * 8 + 5);
        const auto walked = look(disk);
        ASSERT_TRUE(walked) << to_string(walked.error());
        EXPECT_TRUE(found_in(*walked, checkpoint)) << at;
        disk.flip(whole(checkpoint), at * 8 + 5);
    }
    EXPECT_THAT(look(disk)->damages, IsEmpty());
}

TEST(Walk, DamageSaysWhichEntryAndDoesNotEndTheWalk) {
    FakeDisk disk(1);
    make_local(disk);
    Collector good;
    ASSERT_TRUE(walk(disk, directory, WalkDepth::entries, good));
    // The body of entry 3; then the header of the last segment's first entry.
    const auto& third = good.entries.at(2);
    disk.flip(whole(third.file), (third.offset + entry_header_bytes + 7) * 8);
    const std::string later = good.entries.back().file;
    ASSERT_NE(later, third.file);
    const auto first_there =
        std::find_if(good.entries.begin(), good.entries.end(),
                     [&](const Collector::Seen& seen) { return seen.file == later; });
    disk.flip(whole(later), (first_there->offset + 18) * 8);

    const auto walked = look(disk);
    ASSERT_TRUE(walked);
    ASSERT_THAT(walked->damages, SizeIs(2));
    EXPECT_EQ(walked->damages[0].entry, Index{3});
    EXPECT_EQ(walked->damages[0].file, third.file);
    EXPECT_EQ(walked->damages[0].offset, third.offset);
    EXPECT_EQ(walked->damages[0].why, "its body");
    EXPECT_EQ(walked->damages[1].entry, first_there->index);
    EXPECT_EQ(walked->damages[1].file, later);
    EXPECT_EQ(walked->damages[1].why, "its header");
}

TEST(Walk, AMissingSegmentIsDamage) {
    FakeDisk disk(1);
    make_local(disk);
    const auto good = look(disk);
    disk.erase(whole(good->segments[0].name));
    const auto walked = look(disk);
    ASSERT_TRUE(walked);
    ASSERT_FALSE(walked->damages.empty());
    EXPECT_EQ(walked->damages.back().entry, Index{1});
}

TEST(Walk, OthersFilesAreNamedAndLeftAlone) {
    FakeDisk disk(1);
    make_local(disk);
    disk.put(whole("notes"), Buffer(3));
    disk.put(whole("0000000000000009.ckpt.tmp"), Buffer(3));
    const auto walked = look(disk);
    ASSERT_TRUE(walked);
    EXPECT_THAT(walked->foreign, ElementsAre("notes"));
    EXPECT_THAT(walked->temporaries, SizeIs(1));
    EXPECT_THAT(walked->damages, IsEmpty());

    const std::string name = segment_name(0xffffffff00000001);
    disk.put(whole(name), Buffer(64 * KiB));
    EXPECT_TRUE(found_in(*look(disk), name));
}

TEST(Walk, WhatIsNoJournalIsRefused) {
    FakeDisk disk(1);
    const auto refusal = [&](const std::string& where) {
        const auto walked = look(disk, where);
        EXPECT_FALSE(walked);
        return walked ? Error{} : walked.error();
    };
    EXPECT_EQ(refusal("/nowhere").code, Errc::bad_config);
    ASSERT_TRUE(disk.make_directory("/data/empty"));
    EXPECT_EQ(refusal("/data/empty").code, Errc::bad_config);
    make_local(disk);
    ASSERT_TRUE(disk.make_directory("/data"));
    EXPECT_THAT(refusal("/data").detail,
                HasSubstr("try: understudy journal inspect /data/journal"));
    disk.put(whole(std::string(epoch_name)), Buffer(512));
    EXPECT_THAT(refusal(directory).detail, HasSubstr("of a local and of a shared journal"));
}

TEST(Walk, AnIdentityIsOneOfOursAndDamageToItIsFound) {
    FakeDisk disk(1);
    make_local(disk);
    const std::string name(identity_name);
    disk.put(whole(name), encode(DirectoryIdentity{.service = "Orders"}));
    const auto good = look(disk);
    ASSERT_TRUE(good);
    EXPECT_THAT(good->damages, IsEmpty());
    EXPECT_THAT(good->foreign, IsEmpty());
    disk.flip(whole(name), 200);
    EXPECT_TRUE(found_in(*look(disk), name));
}

TEST(Walk, ANewerVersionIsRefused) {
    FakeDisk disk(1);
    make_local(disk);
    const auto good = look(disk);
    const std::string file = whole(good->segments[0].name);
    Buffer bytes = disk.contents(file);
    bytes[12] = std::byte{2};
    const std::uint32_t checksum = crc32c(Bytes(bytes).subspan(12, 52),
                                          checksum_seed(good->segments[0].generation));
    std::memcpy(bytes.data() + 8, &checksum, sizeof checksum);
    disk.put(file, bytes);
    const auto walked = look(disk);
    ASSERT_FALSE(walked);
    EXPECT_EQ(walked.error().code, Errc::bad_config);
    EXPECT_THAT(walked.error().detail, HasSubstr("version 2"));
}

TEST(Walk, AFileThatCannotBeReadIsNoDamage) {
    FakeDisk disk(1);
    make_local(disk);
    disk.set_fault([](std::string_view call, const std::string& path) -> std::optional<Errc> {
        if (call == "read" && path.ends_with(".seg")) return Errc::disk_failed;
        return std::nullopt;
    });
    const auto walked = look(disk);
    ASSERT_FALSE(walked);
    EXPECT_EQ(walked.error().code, Errc::disk_failed);
}

TEST(Walk, TellsTheGroupsOfANodesLog) {
    FakeDisk disk(1);
    {
        NodeSession session(disk);
        session.opened();
        ASSERT_TRUE(session.added(5, {entry_of(1, "hi"), entry_of(2, "there")}));
        ASSERT_TRUE(session.added(300, {entry_of(7, "x")}));
        ASSERT_TRUE(session.close());
    }
    Collector collector;
    const auto walked = walk(disk, node_directory, WalkDepth::everything, collector);
    ASSERT_TRUE(walked) << to_string(walked.error());
    EXPECT_EQ(walked->kind, WalkKind::node);
    EXPECT_THAT(walked->damages, IsEmpty());
    EXPECT_NE(walked->identity, 0U);
    ASSERT_THAT(walked->groups, SizeIs(2));
    EXPECT_EQ(walked->groups[0].group, GroupId{5});
    EXPECT_EQ(walked->groups[0].last, Index{2});
    EXPECT_EQ(walked->groups[0].term, Epoch{2});
    EXPECT_EQ(walked->groups[1].first, Index{1});

    // A checkpoint of the index, with bodies before and after it.
    {
        NodeSession session(disk, 2);
        session.opened();
        for (int i = 0; i < 12; ++i) {
            ASSERT_TRUE(session.added(5, {entry_of(3, std::string(12'000, 'y'))}));
            session.runtime.settle();
        }
        ASSERT_TRUE(session.close());
    }
    const auto more = look(disk, node_directory);
    ASSERT_TRUE(more) << to_string(more.error());
    EXPECT_EQ(more->kind, WalkKind::node);
    for (const Damage& one : more->damages) ADD_FAILURE() << one.file << " " << one.why;
    EXPECT_EQ(more->groups.at(0).last, Index{14});
    EXPECT_FALSE(more->checkpoints.empty());

    // The index says where a body is, and another body is there now.
    const std::string victim = more->segments.at(0).name;
    const std::string file = std::string(node_directory) + "/" + victim;
    disk.flip(file, (more->segments[0].used_bytes / 2) * 8);
    const auto damaged = look(disk, node_directory);
    ASSERT_TRUE(damaged);
    const auto of_group =
        std::find_if(damaged->damages.begin(), damaged->damages.end(),
                     [](const Damage& one) { return one.why.find("group") != std::string::npos; });
    EXPECT_TRUE(found_in(*damaged, victim));
    EXPECT_NE(of_group, damaged->damages.end()) << "which entry of which group it is";
}

struct WalkShared : testing::Test {
    FakeDisk store{1};
    SharedOracle oracle;

    /// Two tenures, each with one more segment than it began with, and a checkpoint.
    void make() {
        SharedMember first(store, oracle, "a", 1);
        first.opened();
        ASSERT_TRUE(first.take_over());
        ASSERT_TRUE(first.append(3));
        ASSERT_TRUE(first.append(4, 20'000));
        first.mount.kill();
        SharedMember second(store, oracle, "b", 2);
        second.opened();
        ASSERT_TRUE(second.take_over());
        ASSERT_TRUE(second.append(2));
        ASSERT_TRUE(second.checkpoint());
        ASSERT_TRUE(second.append(4, 20'000));
        ASSERT_TRUE(second.append(1));
        ASSERT_TRUE(second.close());
    }
};

TEST_F(WalkShared, TellsEpochsSealsAndClaims) {
    make();
    const auto walked = look(store);
    ASSERT_TRUE(walked) << to_string(walked.error());
    EXPECT_EQ(walked->kind, WalkKind::shared);
    for (const Damage& one : walked->damages) ADD_FAILURE() << one.file << " " << one.why;
    EXPECT_THAT(walked->seals, SizeIs(2));
    EXPECT_THAT(walked->tenures, SizeIs(2));
    ASSERT_TRUE(walked->published);
    EXPECT_EQ(walked->published->member, "b");
    EXPECT_THAT(walked->checkpoints, SizeIs(1));
    EXPECT_FALSE(walked->live);
    EXPECT_EQ(walked->first, Index{1});
    EXPECT_GE(walked->last, walked->committed);
    EXPECT_GT(walked->committed, walked->seals[1].last);
    EXPECT_THAT(walked->foreign, IsEmpty());
}

TEST_F(WalkShared, WhoHoldsItIsNotDisturbed) {
    SharedMember active(store, oracle, "a", 1);
    active.opened();
    ASSERT_TRUE(active.take_over());
    ASSERT_TRUE(active.append(3));
    const auto walked = look(store);
    ASSERT_TRUE(walked);
    EXPECT_TRUE(walked->live);
    EXPECT_THAT(walked->damages, IsEmpty());
    EXPECT_TRUE(active.append(3));
    EXPECT_THAT(active.failures(), IsEmpty());
}

TEST_F(WalkShared, EveryFlippedBitIsFound) {
    make();
    const auto good = look(store);
    ASSERT_TRUE(good);
    ASSERT_THAT(good->damages, IsEmpty());
    std::size_t looked_at = 0;
    for (const WalkedSegment& segment : good->segments) {
        if (segment.state != WalkedSegment::State::begun) continue;
        // All its entries are void: they come after the point that a later seal names.
        if (segment.last == Index{}) continue;
        const std::string file = whole(segment.name);
        for (std::uint64_t at = 0; at < segment.used_bytes;
             at += at < 300 || at + 60 > segment.used_bytes ? 1 : 4'099) {
            ++looked_at;
            store.flip(file, at * 8 + 1);
            const auto walked = look(store);
            ASSERT_TRUE(walked) << to_string(walked.error());
            const bool torn = !walked->strays.empty() && segment.last == good->last;
            EXPECT_TRUE(torn || !walked->damages.empty()) << segment.name << " at " << at;
            store.flip(file, at * 8 + 1);
        }
    }
    EXPECT_GT(looked_at, 700U);
    std::vector<std::string> others{std::string(epoch_name), good->checkpoints.at(0).name};
    for (const WalkedClaim& claim : good->claims) others.push_back(claim.name);
    for (const std::string& name : others) {
        const std::uint64_t size = std::min<std::uint64_t>(store.contents(whole(name)).size(), 512);
        for (std::uint64_t at = 0; at < size; at += 3) {
            store.flip(whole(name), at * 8);
            const auto walked = look(store);
            ASSERT_TRUE(walked) << name << " at " << at << to_string(walked.error());
            EXPECT_TRUE(found_in(*walked, name)) << name << " at " << at;
            store.flip(whole(name), at * 8);
        }
    }
}

TEST_F(WalkShared, AClaimThatWasNeverFinishedIsNoDamage) {
    make();
    store.put(whole(claim_name(Epoch{9})), {});
    store.put(whole("other"), {});
    const auto walked = look(store);
    ASSERT_TRUE(walked);
    EXPECT_THAT(walked->damages, IsEmpty());
    EXPECT_FALSE(walked->claims.back().record);
    EXPECT_THAT(walked->foreign, ElementsAre("other"));
}

}  // namespace
}  // namespace understudy::journal
