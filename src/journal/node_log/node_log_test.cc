#include "journal/node_log/node_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/format/segment.h"
#include "journal/node_log/node_session_test.h"

namespace understudy::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Buffer buffer_of(std::string_view text) {
    const Bytes bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

std::vector<std::string> texts(const std::vector<GroupEntry>& entries) {
    std::vector<std::string> found;
    for (const GroupEntry& entry : entries) found.emplace_back(as_text(entry.body));
    return found;
}

std::vector<std::string> segments(const FakeDisk& disk) {
    std::vector<std::string> found;
    for (const std::string& path : disk.names()) {
        if (path.ends_with(".seg")) found.push_back(path);
    }
    return found;
}

TEST(NodeLog, RefusesSegmentsThatAreTooLong) {
    FakeDisk disk(1);
    NodeSession session(disk, 1, {.segment_bytes = 2 * GiB});
    EXPECT_FALSE(session.error) << "never within the call";
    session.opened();
    ASSERT_TRUE(session.error);
    EXPECT_EQ(session.error->code, Errc::bad_config);
    EXPECT_THAT(disk.names(), IsEmpty());
}

TEST(NodeLog, HasOneIdentityForEver) {
    FakeDisk disk(1);
    std::uint64_t identity = 0;
    for (std::uint64_t seed = 1; seed < 5; ++seed) {
        NodeSession session(disk, seed);
        session.opened();
        ASSERT_TRUE(session.log);
        EXPECT_NE(session.log->identity(), 0U);
        if (identity == 0) identity = session.log->identity();
        EXPECT_EQ(session.log->identity(), identity);
        session.log.reset();
        disk.power_cut(FakeDisk::Survival::none);
    }
    FakeDisk other(2);
    NodeSession session(other, 99);
    session.opened();
    EXPECT_NE(session.log->identity(), identity) << "another disk has another";
}

TEST(NodeLog, WhatIsWrittenCountsAtOnceAndIsToldWhenItIsDurable) {
    FakeDisk disk(1);
    NodeSession session(disk);
    session.opened();
    session.runtime.hold_jobs(true);
    const LogPosition before = session.log->durable();
    const auto first = session.add(1, {entry_of(3, "one"), entry_of(3, "two")});
    const auto second = session.add(2, {entry_of(5, "other")});
    ASSERT_TRUE(first && second);
    EXPECT_EQ(*first, *second) << "one turn, one position";
    session.runtime.settle();
    EXPECT_EQ(session.log->durable(), before);
    EXPECT_EQ(session.log->last({1}), Index{2});
    EXPECT_EQ(session.log->term({1}, {2}), Epoch{3});
    EXPECT_EQ(session.log->term({1}, {3}), std::nullopt);
    EXPECT_THAT(texts(session.log->cached({1}, {1}, 10, 100)), ElementsAre("one", "two"));
    EXPECT_THAT(texts(session.log->cached({1}, {2}, 10, 100)), ElementsAre("two"));
    EXPECT_THAT(texts(session.log->cached({1}, {1}, 10, 2)), ElementsAre("one")) << "at least one";
    EXPECT_THAT(session.log->cached({1}, {3}, 10, 100), IsEmpty());

    session.runtime.hold_jobs(false);
    session.runtime.settle();
    EXPECT_EQ(session.log->durable(), *first);
    EXPECT_EQ(session.durable_heard.back(), *first);
    session.log.reset();
    disk.power_cut(FakeDisk::Survival::none);
    NodeSession next(disk, 2);
    next.opened();
    ASSERT_TRUE(next.log);
    EXPECT_EQ(next.log->groups().size(), 2U);
    EXPECT_EQ(next.log->groups().at({1}).last, Index{2});
    EXPECT_THAT(next.log->cached({1}, {1}, 10, 100), IsEmpty()) << "on the disk only";
    EXPECT_THAT(texts(*next.load(1, {1})), ElementsAre("one", "two"));
    EXPECT_THAT(texts(*next.load(2, {1})), ElementsAre("other"));
}

TEST(NodeLog, AllGroupsOfOneTurnShareAFlush) {
    FakeDisk disk(1);
    NodeSession session(disk);
    session.opened();
    session.runtime.settle();
    const std::uint64_t calls = disk.calls();
    for (std::uint64_t group = 1; group <= 300; ++group) {
        ASSERT_TRUE(session.add(group, {entry_of(1, "x")}));
    }
    session.runtime.settle();
    EXPECT_EQ(disk.calls() - calls, 2U) << "a write and a sync";
    EXPECT_EQ(session.durable_heard.size(), 1U);
}

TEST(NodeLog, ACutEntryIsGoneAtOnceAndNeverComesBack) {
    FakeDisk disk(1);
    {
        NodeSession session(disk);
        session.opened();
        ASSERT_TRUE(session.added(1, {entry_of(1, "a"), entry_of(1, "b"), entry_of(1, "c")}));
        GroupWrite write;
        write.from = {2};
        write.entries.push_back(entry_of(2, "B"));
        ASSERT_TRUE(session.log->write({1}, std::move(write), Urgency::ordinary));
        EXPECT_EQ(session.log->last({1}), Index{2});
        EXPECT_EQ(session.log->term({1}, {2}), Epoch{2});
        EXPECT_THAT(texts(session.log->cached({1}, {1}, 9, 99)), ElementsAre("a", "B"));
        session.runtime.settle();
    }
    disk.power_cut(FakeDisk::Survival::none);
    NodeSession next(disk, 2);
    next.opened();
    EXPECT_THAT(texts(*next.load(1, {1})), ElementsAre("a", "B"));
    const auto gone = next.load(1, {3});
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Errc::not_found);
}

TEST(NodeLog, TrimRestartStateAndForgetLast) {
    FakeDisk disk(1);
    {
        NodeSession session(disk);
        session.opened();
        for (std::uint64_t group = 1; group <= 3; ++group) {
            ASSERT_TRUE(
                session.added(group, {entry_of(1, "a"), entry_of(1, "b"), entry_of(1, "c")}));
        }
        GroupWrite trim;
        trim.state = buffer_of("term 4");
        trim.trim = Index{3};
        ASSERT_TRUE(session.log->write({1}, std::move(trim), Urgency::ordinary));
        GroupWrite restart;
        restart.restart = true;
        restart.from = {100};
        restart.entries.push_back(entry_of(9, "behind the checkpoint"));
        ASSERT_TRUE(session.log->write({2}, std::move(restart), Urgency::ordinary));
        ASSERT_TRUE(session.log->forget({3}));
        ASSERT_TRUE(session.log->forget({77})) << "never heard of";
        EXPECT_EQ(session.log->last({3}), Index{});
        session.runtime.settle();
    }
    disk.power_cut(FakeDisk::Survival::none);
    NodeSession next(disk, 2);
    next.opened();
    const auto& groups = next.log->groups();
    ASSERT_EQ(groups.size(), 2U);
    EXPECT_EQ(as_text(groups.at({1}).state), "term 4");
    EXPECT_EQ(groups.at({1}).first, Index{3});
    EXPECT_EQ(groups.at({1}).last, Index{3});
    EXPECT_EQ(groups.at({2}).first, Index{100});
    EXPECT_THAT(texts(*next.load(2, {100})), ElementsAre("behind the checkpoint"));
    EXPECT_FALSE(next.load(1, {2}));
}

TEST(NodeLog, TooLongIsRefused) {
    FakeDisk disk(1);
    NodeSession session(disk);
    session.opened();
    GroupWrite state;
    state.state = Buffer(8 * KiB + 1);
    const auto refused = session.log->write({1}, std::move(state), Urgency::promotion);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    const std::string longest(append_bytes_max(64 * KiB), 'x');
    const auto entry = session.add(1, {entry_of(1, longest)});
    ASSERT_FALSE(entry);
    EXPECT_EQ(entry.error().code, Errc::limit_exceeded);
    EXPECT_EQ(session.log->last({1}), Index{}) << "nothing of it counts";
    EXPECT_TRUE(session.added(1, {entry_of(1, longest.substr(0, longest.size() - 200))}));

    session.runtime.hold_jobs(true);
    Result<LogPosition> last = LogPosition{};
    int taken = 0;
    while ((last = session.add(2, {entry_of(1, std::string(30'000, 'x'))}))) ++taken;
    EXPECT_EQ(last.error().code, Errc::limit_exceeded);
    EXPECT_EQ(last.error().effect, Effect::none);
    EXPECT_GT(taken, 120) << "4 MiB may wait";
    EXPECT_LT(taken, 160);
}

TEST(NodeLog, TheCacheIsBoundedAndTheRestIsReadFromTheDisk) {
    FakeDisk disk(1);
    NodeSession session(disk);
    session.opened();
    std::vector<std::string> all;
    for (int i = 0; i < 100; ++i) {
        all.push_back(std::string(1000, static_cast<char>('a' + i % 26)));
        ASSERT_TRUE(session.added(1, {entry_of(1, all.back())}));
    }
    EXPECT_THAT(session.log->cached({1}, {1}, 1000, 1 * MiB), IsEmpty());
    EXPECT_THAT(session.log->cached({1}, {80}, 1000, 1 * MiB), IsEmpty());
    EXPECT_EQ(session.log->cached({1}, {90}, 1000, 1 * MiB).size(), 11U);
    std::vector<std::string> found;
    while (found.size() < 100) {
        const auto some = session.load(1, {found.size() + 1}, 30, 20'000);
        ASSERT_TRUE(some) << to_string(some.error());
        ASSERT_FALSE(some->empty());
        EXPECT_LE(some->size(), 20U);
        for (const std::string& text : texts(*some)) found.push_back(text);
    }
    EXPECT_EQ(found, all);
}

// The log is cut repeatedly at the same place. An earlier cached entry with the same index must not
// make the cache drop an entry that is not durable yet.
TEST(NodeLog, WhatIsNotDurableYetCanAlwaysBeRead) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        FakeDisk disk(seed);
        NodeSession session(disk, seed, {.cache_bytes = 2 * KiB});
        session.opened();
        Random random(seed);
        for (int turn = 0; turn < 200; ++turn) {
            GroupWrite write;
            const Index last = session.log->last({1});
            if (last.value > 3 && random.chance(1, 2)) {
                write.from = {random.between(last.value - 2, last.value)};
            }
            const std::string body = std::to_string(turn) + std::string(random.below(900), 'x');
            write.entries.push_back(entry_of(static_cast<std::uint64_t>(turn), body));
            ASSERT_TRUE(session.log->write({1}, std::move(write), Urgency::ordinary));
            for (std::uint64_t step = random.below(6); step > 0; --step) session.runtime.step();
            const Index newest = session.log->last({1});
            const auto found = session.load(1, newest);
            ASSERT_TRUE(found) << to_string(found.error());
            if (session.log->last({1}) == newest) {
                EXPECT_EQ(texts(*found), std::vector{body});
            }
        }
    }
}

/// Makes one group busy and trims it. The entries of the idle groups stay.
void keep_busy(NodeSession& session, int turns) {
    for (int turn = 0; turn < turns; ++turn) {
        GroupWrite write;
        write.trim = session.log->last({1});
        for (int i = 0; i < 4; ++i) write.entries.push_back(entry_of(2, std::string(3000, 'b')));
        ASSERT_TRUE(session.log->write({1}, std::move(write), Urgency::ordinary));
        session.runtime.settle();
    }
}

TEST(NodeLog, AnIdleGroupDoesNotPinTheDisk) {
    FakeDisk disk(1);
    std::vector<std::string> idle;
    {
        NodeSession session(disk);
        session.opened();
        for (std::uint64_t group = 2; group <= 30; ++group) {
            idle.push_back("idle " + std::to_string(group) + std::string(400, 'i'));
            ASSERT_TRUE(session.added(group, {entry_of(1, idle.back()), entry_of(1, "")}));
        }
        std::size_t most = 0;
        for (int round = 0; round < 30; ++round) {
            keep_busy(session, 5);
            most = std::max(most, segments(disk).size());
        }
        EXPECT_LE(most, 10U) << "of 64 KiB each, for 1.8 MiB written";
        for (std::uint64_t group = 2; group <= 30; ++group) {
            EXPECT_EQ(texts(*session.load(group, {1})).front(), idle[group - 2]);
            EXPECT_EQ(texts(*session.load(group, {2})).front(), "");
        }
    }
    disk.power_cut(FakeDisk::Survival::none);
    NodeSession next(disk, 2);
    next.opened();
    ASSERT_TRUE(next.log) << to_string(*next.error);
    EXPECT_EQ(next.log->groups().size(), 30U);
    for (std::uint64_t group = 2; group <= 30; ++group) {
        EXPECT_THAT(texts(*next.load(group, {1})), ElementsAre(idle[group - 2], ""));
    }
}

// If all entries are live, copying them only takes more space.
TEST(NodeLog, WhatIsAllLiveIsNotCopiedRoundAndRound) {
    FakeDisk disk(1);
    NodeSession session(disk);
    session.opened();
    std::uint64_t written = 0;
    for (int i = 0; i < 300; ++i) {
        ASSERT_TRUE(session.added(1 + static_cast<std::uint64_t>(i % 7),
                                  {entry_of(1, std::string(3000, 'x'))}));
        written += 3000;
    }
    EXPECT_LE(segments(disk).size() * 64 * KiB, written * 13 / 10 + 3 * 64 * KiB);
}

TEST(NodeLog, DamageToABodyIsFoundWhenItIsRead) {
    FakeDisk disk(1);
    {
        NodeSession session(disk);
        session.opened();
        ASSERT_TRUE(session.added(7, {entry_of(1, std::string(500, 'x'))}));
        keep_busy(session, 40);
        ASSERT_TRUE(session.close());
    }
    disk.power_cut(FakeDisk::Survival::none);
    NodeSession session(disk, 2);
    session.opened();
    ASSERT_TRUE(session.log) << to_string(*session.error);
    int damaged = 0;
    for (const std::string& path : segments(disk)) {
        const std::string contents(as_text(disk.contents(path)));
        for (auto at = contents.find(std::string(500, 'x')); at != std::string::npos;
             at = contents.find(std::string(500, 'x'), at + 500)) {
            disk.flip(path, (at + 250) * 8);
            ++damaged;
        }
    }
    ASSERT_GT(damaged, 0);
    const auto found = session.load(7, {1});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::corrupt);
    EXPECT_THAT(found.error().detail, HasSubstr("entry 1 of group 7"));
}

TEST(NodeLog, ASegmentThatIsGoneThoughAnEntryLiesInItEndsTheOpening) {
    FakeDisk disk(1);
    {
        NodeSession session(disk);
        session.opened();
        // More than half of the entries are live, so nothing is written again.
        for (int i = 0; i < 100; ++i) {
            ASSERT_TRUE(session.added(7, {entry_of(1, std::string(5000, 'x'))}));
        }
        ASSERT_TRUE(session.close());
    }
    disk.power_cut(FakeDisk::Survival::none);
    disk.erase(segments(disk).front());
    NodeSession session(disk, 2);
    session.opened();
    ASSERT_TRUE(session.error);
    EXPECT_EQ(session.error->code, Errc::corrupt);
    EXPECT_THAT(session.error->detail, HasSubstr("entry 1 of group 7"));
}

TEST(NodeLog, AFailedSyncIsTheEnd) {
    FakeDisk disk(1);
    NodeSession session(disk);
    session.opened();
    ASSERT_TRUE(session.added(1, {entry_of(1, "durable")}));
    disk.set_fault([](std::string_view call, const std::string&) -> std::optional<Errc> {
        if (call == "sync") return Errc::disk_failed;
        return std::nullopt;
    });
    ASSERT_TRUE(session.add(1, {entry_of(1, "lost")}));
    session.runtime.settle();
    ASSERT_EQ(session.failures.size(), 1U);
    EXPECT_EQ(session.failures[0].code, Errc::disk_failed);
    const LogPosition durable = session.log->durable();
    disk.set_fault({});
    const auto refused = session.add(1, {entry_of(1, "refused")});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::disk_failed);
    EXPECT_EQ(refused.error().effect, Effect::none);
    session.runtime.advance(5s);
    EXPECT_EQ(session.log->durable(), durable);
    EXPECT_EQ(session.failures.size(), 1U);
    EXPECT_TRUE(session.close());
}

TEST(NodeLog, OnAFullDiskOrdinaryWritesAreRefusedAtOnceAndPromotionsAreNot) {
    FakeDisk disk(1);
    NodeSession session(disk, 1, {.segment_bytes = 256 * KiB});
    session.opened();
    session.runtime.settle();
    disk.set_capacity(disk.used());
    Result<LogPosition> last = LogPosition{};
    std::size_t taken = 0;
    while ((last = session.add(1, {entry_of(1, std::string(1000, 'x'))}))) {
        ++taken;
        session.runtime.settle();
    }
    EXPECT_EQ(last.error().code, Errc::no_space);
    EXPECT_EQ(last.error().effect, Effect::none);
    EXPECT_GT(taken, 300U);
    session.runtime.settle();
    EXPECT_EQ(session.log->space(), Space::reserve_only);
    EXPECT_THAT(session.spaces, ElementsAre(Space::reserve_only));
    EXPECT_EQ(session.log->no_space().detail, last.error().detail) << "with what is free";
    EXPECT_THAT(last.error().detail, HasSubstr("wanted for a segment"));
    GroupWrite vote;
    vote.state = buffer_of("vote");
    ASSERT_TRUE(session.log->write({1}, std::move(vote), Urgency::promotion));
    session.runtime.settle();
    EXPECT_THAT(session.failures, IsEmpty());
    EXPECT_EQ(session.log->last({1}), Index{taken});

    disk.set_capacity(UINT64_MAX);
    session.runtime.advance(2s);
    EXPECT_EQ(session.log->space(), Space::ok);
    EXPECT_TRUE(session.added(1, {entry_of(1, "healed")}));
}

// After many writes at once the disk is full. What was accepted is not refused later; it becomes
// durable when there is room again.
TEST(NodeLog, WhatWasTakenIsNeverRefused) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        FakeDisk disk(seed);
        NodeSession session(disk, seed);
        session.opened();
        session.runtime.settle();
        disk.set_capacity(disk.used());
        std::size_t taken = 0;
        for (int i = 0; i < 200; ++i) {
            if (session.add(1, {entry_of(1, std::string(2000, 'x'))})) ++taken;
            if (i % 20 == 19) session.runtime.step();
        }
        const Index last = session.log->last({1});
        EXPECT_EQ(last, Index{taken});
        session.runtime.advance(3s);
        EXPECT_THAT(session.failures, IsEmpty());
        disk.set_capacity(UINT64_MAX);
        session.runtime.advance(3s);
        ASSERT_TRUE(session.added(1, {entry_of(1, "more")}));
        session.log.reset();
        disk.power_cut(FakeDisk::Survival::none);
        NodeSession next(disk, seed);
        next.opened();
        EXPECT_EQ(next.log->last({1}), last.next());
    }
}

TEST(NodeLog, ClosesWithAllThatWasTaken) {
    FakeDisk disk(1);
    {
        NodeSession session(disk);
        session.opened();
        for (int i = 0; i < 50; ++i) ASSERT_TRUE(session.add(1, {entry_of(1, "x")}));
        bool closed = false;
        session.log->close([&] { closed = true; });
        EXPECT_FALSE(closed);
        const auto late = session.add(1, {entry_of(1, "late")});
        ASSERT_FALSE(late);
        EXPECT_EQ(late.error().code, Errc::closed);
        session.runtime.settle();
        EXPECT_TRUE(closed);
    }
    disk.power_cut(FakeDisk::Survival::none);
    NodeSession next(disk, 2);
    next.opened();
    EXPECT_EQ(next.log->last({1}), Index{50});
}

TEST(NodeLog, ClosesOnAFullDiskToo) {
    FakeDisk disk(1);
    NodeSession session(disk);
    session.opened();
    session.runtime.settle();
    disk.set_capacity(disk.used());
    for (int i = 0; i < 200; ++i) (void)session.add(1, {entry_of(1, std::string(2000, 'x'))});
    EXPECT_TRUE(session.close());
}

TEST(NodeLog, AnOpeningThatIsGivenUpCallsNobody) {
    for (int steps = 0; steps < 20; ++steps) {
        FakeDisk disk(1);
        NodeSession session(disk);
        for (int i = 0; i < steps && !session.log; ++i) session.runtime.step();
        if (session.log) break;
        session.opening.reset();
        session.runtime.settle();
        EXPECT_FALSE(session.log);
        EXPECT_FALSE(session.error);
        NodeSession next(disk, 2);
        next.opened();
        EXPECT_TRUE(next.log) << steps;
    }
}

}  // namespace
}  // namespace understudy::journal
