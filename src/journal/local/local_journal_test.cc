#include "journal/local/local_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/fakes/session_test.h"

namespace understudy::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string filler(std::size_t bytes, char letter = 'x') { return std::string(bytes, letter); }

TEST(LocalJournal, RefusesOptionsOutOfRange) {
    FakeDisk disk(1);
    for (const std::uint64_t size :
         {std::uint64_t{0}, 64 * KiB - 4096, 64 * KiB + 1, 4 * GiB + 4096}) {
        Session session(disk, 1, size);
        EXPECT_FALSE(session.error) << "never within the call";
        session.opened();
        ASSERT_TRUE(session.error) << size;
        EXPECT_EQ(session.error->code, Errc::bad_config);
    }
    EXPECT_THAT(disk.names(), IsEmpty());
}

TEST(LocalJournal, ASecondProcessIsToldThatTheDirectoryIsInUse) {
    FakeDisk disk(1);
    Session first(disk);
    first.opened();
    ASSERT_TRUE(first.journal);

    Session second(disk, 2);
    second.opened();
    ASSERT_TRUE(second.error);
    EXPECT_EQ(second.error->code, Errc::in_use);
    EXPECT_EQ(second.error->effect, Effect::none);
    EXPECT_THAT(second.error->detail, HasSubstr(directory));

    ASSERT_TRUE(first.append("still mine"));
    ASSERT_TRUE(first.close());
    Session third(disk, 3);
    third.opened();
    EXPECT_TRUE(third.journal);
    EXPECT_THAT(third.recorder.commands(), ElementsAre("still mine"));
}

TEST(LocalJournal, AnEntryIsHeardWhenItIsDurableAndThenAcknowledged) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    session.runtime.hold_jobs(true);
    session.offer("one");
    session.offer("two");
    session.runtime.settle();
    EXPECT_THAT(session.recorder.commands(), IsEmpty());
    EXPECT_THAT(session.outcomes, IsEmpty());

    session.runtime.hold_jobs(false);
    session.runtime.settle();
    EXPECT_THAT(session.recorder.commands(), ElementsAre("one", "two"));
    ASSERT_EQ(session.outcomes.size(), 2U);
    EXPECT_EQ(*session.outcomes[0], Index{2});
    EXPECT_EQ(*session.outcomes[1], Index{3});
    EXPECT_EQ(session.journal->committed(), Index{3});

    disk.power_cut(FakeDisk::Survival::none);
    Session next(disk, 2);
    next.opened();
    EXPECT_THAT(next.recorder.commands(), ElementsAre("one", "two"));
}

TEST(LocalJournal, DraftsOfOneAppendAreAdjacentAndAcknowledgedOnce) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    std::vector<Draft> drafts(3);
    drafts[1].body = Buffer(5);
    std::optional<Result<Index>> outcome;
    session.journal->append(std::move(drafts), Urgency::ordinary,
                            [&](Result<Index> result) { outcome = std::move(result); });
    EXPECT_FALSE(outcome) << "never within the call";
    session.runtime.settle();
    ASSERT_TRUE(outcome && *outcome);
    EXPECT_EQ(**outcome, Index{4});
    EXPECT_EQ(session.recorder.commands().size(), 3U);
}

// Appends that come while a flush is under way share the next one.
TEST(LocalJournal, WhatComesDuringAFlushSharesTheNext) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    session.runtime.advance(2s);
    const std::uint64_t before = disk.calls();

    session.runtime.hold_jobs(true);
    session.offer("first");
    session.runtime.settle();
    for (int i = 0; i < 100; ++i) session.offer("later");
    session.runtime.settle();
    session.runtime.hold_jobs(false);
    session.runtime.settle();

    EXPECT_EQ(session.outcomes.size(), 101U);
    EXPECT_EQ(disk.calls() - before, 7U)
        << "two writes, two syncs, and a look at directory, lock and segment";
}

TEST(LocalJournal, EachOpeningIsANewEpochThatIsDurableBeforeAnythingElse) {
    FakeDisk disk(1);
    Epoch last;
    for (int turn = 0; turn < 5; ++turn) {
        Session session(disk, static_cast<std::uint64_t>(turn));
        session.opened();
        ASSERT_TRUE(session.journal);
        EXPECT_EQ(session.journal->epoch(), last.next());
        EXPECT_EQ(session.recorder.heard.back().type, EntryType::tenure);
        last = session.journal->epoch();
        session.journal.reset();
        disk.power_cut(FakeDisk::Survival::none);
    }
}

TEST(LocalJournal, GoesOnInTheNextSegmentWhenOneIsFull) {
    FakeDisk disk(1);
    std::vector<std::string> written;
    {
        Session session(disk);
        session.opened();
        for (char letter = 'a'; letter < 'a' + 20; ++letter) {
            written.push_back(filler(10'000, letter));
            ASSERT_TRUE(session.append(written.back()));
        }
        session.runtime.settle();
        EXPECT_EQ(files(disk, ".seg").size(), 5U) << "six fit into one; one more is in reserve";
        session.journal.reset();
    }
    disk.power_cut(FakeDisk::Survival::none);
    Session next(disk, 2);
    next.opened();
    EXPECT_EQ(next.recorder.commands(), written);
}

TEST(LocalJournal, ReservesAreMadeOfWrittenZeros) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    const auto segments = files(disk, ".seg");
    ASSERT_EQ(segments.size(), 2U);
    const auto generation = *parse_segment_name(segments[1].substr(segments[1].rfind('/') + 1));
    Buffer expected;
    encode(ReserveHeader{.generation = generation, .size_bytes = 64 * KiB, .durable = {1}},
           expected);
    expected.resize(64 * KiB);
    EXPECT_EQ(disk.contents(segments[1]), expected);
    disk.power_cut(FakeDisk::Survival::none);
    EXPECT_EQ(disk.contents(segments[1]), expected) << "durable, name and all";
}

TEST(LocalJournal, AFailedWriteEndsTheTenureForEver) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("durable"));

    disk.set_fault([](std::string_view call, const std::string&) -> std::optional<Errc> {
        if (call == "write") return Errc::disk_failed;
        return std::nullopt;
    });
    const auto failed = session.append("lost");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Errc::disk_failed);
    EXPECT_EQ(failed.error().effect, Effect::unknown);
    ASSERT_EQ(session.recorder.failures.size(), 1U);

    disk.set_fault({});
    const std::uint64_t calls = disk.calls();
    for (int turn = 0; turn < 3; ++turn) {
        const auto again = session.append("refused");
        ASSERT_FALSE(again);
        EXPECT_EQ(again.error().code, Errc::disk_failed);
        EXPECT_EQ(again.error().effect, Effect::unknown);
        session.runtime.advance(5s);
    }
    EXPECT_FALSE(session.checkpoint("state"));
    EXPECT_EQ(disk.calls(), calls) << "nothing reaches the disk any more";
    EXPECT_EQ(session.recorder.failures.size(), 1U) << "told once";
    EXPECT_THAT(session.recorder.commands(), ElementsAre("durable"));
    EXPECT_TRUE(session.close());
}

// The kernel reports a failed sync once and forgets the pages; a second sync would succeed.
TEST(LocalJournal, ASyncThatFailsOnceIsNotTriedAgain) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("durable"));
    int syncs = 0;
    int writes_after = 0;
    disk.set_fault([&](std::string_view call, const std::string& path) -> std::optional<Errc> {
        if (path.find(".seg") == std::string::npos) return std::nullopt;
        if (call == "write" && syncs > 0) ++writes_after;
        if (call == "sync" && ++syncs == 1) return Errc::disk_failed;
        return std::nullopt;
    });
    session.runtime.hold_jobs(true);
    session.offer("in the flush that fails");
    session.runtime.settle();
    for (int i = 0; i < 3; ++i) session.offer(filler(25'000));  // Two are in the flush after it.
    session.runtime.settle();
    session.offer("waiting");
    session.runtime.hold_jobs(false);
    session.runtime.settle();

    ASSERT_EQ(session.outcomes.size(), 6U);
    for (std::size_t i = 1; i < 6; ++i) {
        ASSERT_FALSE(session.outcomes[i]) << i;
        EXPECT_EQ(session.outcomes[i].error().effect, Effect::unknown);
    }
    EXPECT_EQ(session.recorder.failures.size(), 1U);
    EXPECT_FALSE(session.append("refused"));
    EXPECT_EQ(syncs, 1);
    EXPECT_EQ(writes_after, 0) << "a later batch behind a lost one would look like damage";
}

// A restart reads what the failed sync left in memory, and must not take it for durable.
TEST(LocalJournal, WhatAFailedSyncLeftInMemoryIsWrittenAgainByTheNextTenure) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        FakeDisk disk(seed);
        std::vector<std::string> kept;
        {
            Session session(disk, seed);
            session.opened();
            ASSERT_TRUE(session.append("durable"));
            disk.set_fault([](std::string_view call, const std::string&) -> std::optional<Errc> {
                if (call == "sync") return Errc::disk_failed;
                return std::nullopt;
            });
            ASSERT_FALSE(session.append(filler(seed * 1000)));
            disk.set_fault({});
        }
        disk.restart_process();
        {
            Session session(disk, seed);
            session.opened();
            ASSERT_TRUE(session.journal);
            ASSERT_TRUE(session.append("after"));
            kept = session.recorder.commands();
            ASSERT_EQ(kept.back(), "after");
        }
        disk.power_cut(FakeDisk::Survival::none);
        Session last(disk, seed);
        last.opened();
        ASSERT_TRUE(last.journal) << seed << ": " << to_string(*last.error);
        EXPECT_EQ(last.recorder.commands(), kept) << seed;
    }
}

TEST(LocalJournal, AFailedSyncOfTheDirectoryEndsTheTenure) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    disk.set_fault([](std::string_view call, const std::string&) -> std::optional<Errc> {
        if (call == "sync_directory") return Errc::disk_failed;
        return std::nullopt;
    });
    const auto failed = session.checkpoint("state");
    ASSERT_FALSE(failed);
    ASSERT_EQ(session.recorder.failures.size(), 1U);
    EXPECT_FALSE(session.append("refused"));
}

// If a process ends between naming a reserve and syncing the directory, a power cut may remove the
// name again.
TEST(LocalJournal, ANameThatItsMakerDidNotSyncIsMadeDurableBeforeItIsUsed) {
    const auto no_directory_sync = [](std::string_view call,
                                      const std::string&) -> std::optional<Errc> {
        if (call == "sync_directory") return Errc::disk_failed;
        return std::nullopt;
    };
    int into_the_reserve = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        FakeDisk disk(seed);
        {
            Session session(disk, seed);
            session.runtime.run_until([&] { return session.journal != nullptr; });
            disk.set_fault(no_directory_sync);
            session.runtime.settle();
            ASSERT_EQ(session.recorder.failures.size(), 1U);
            ASSERT_EQ(files(disk, ".seg").size(), 2U) << "the reserve has its name";
        }
        disk.restart_process();
        disk.set_fault({});
        std::size_t acknowledged = 0;
        {
            Session session(disk, seed);
            session.runtime.run_until([&] { return session.journal != nullptr; });
            disk.set_fault(no_directory_sync);  // So no later sync repairs it.
            while (session.append(filler(9000))) ++acknowledged;
            disk.set_fault({});
        }
        if (acknowledged > 7) ++into_the_reserve;
        disk.power_cut(FakeDisk::Survival::none);
        Session last(disk, seed);
        last.opened();
        ASSERT_TRUE(last.journal) << seed << ": " << to_string(*last.error);
        EXPECT_GE(last.recorder.commands().size(), acknowledged) << seed;
    }
    EXPECT_GT(into_the_reserve, 0);
}

TEST(LocalJournal, OnAFullDiskOrdinaryAppendsAreRefusedAndPromotionsAreNot) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    disk.set_capacity(disk.used());

    Result<Index> last = Index{};
    int accepted = 0;
    while ((last = session.append(filler(1000)))) ++accepted;
    EXPECT_EQ(last.error().code, Errc::no_space);
    EXPECT_EQ(last.error().effect, Effect::none);
    EXPECT_GT(accepted, 100) << "the rest of this segment and most of the reserve";
    EXPECT_EQ(session.journal->space(), Space::reserve_only);
    EXPECT_THAT(session.recorder.spaces, ElementsAre(Space::reserve_only));
    EXPECT_THAT(session.outcomes.back().error().detail,
                HasSubstr("0 KiB free, 64 KiB wanted for a segment"));
    EXPECT_EQ(session.recorder.commands().size(), static_cast<std::size_t>(accepted));

    std::uint64_t promoted = 0;
    while (session.append(filler(1000), Urgency::promotion)) promoted += encoded_bytes(1000);
    EXPECT_GE(promoted + encoded_bytes(1000), promotion_bytes(64 * KiB));
    EXPECT_THAT(session.recorder.failures, IsEmpty());

    session.runtime.advance(3s);
    EXPECT_FALSE(session.append("still full"));
    disk.set_capacity(UINT64_MAX);
    session.runtime.advance(1s);
    EXPECT_EQ(session.journal->space(), Space::ok);
    EXPECT_TRUE(session.append("healed"));
    EXPECT_THAT(session.recorder.spaces, ElementsAre(Space::reserve_only, Space::ok));
}

TEST(LocalJournal, AppendsThatWaitForTheReserveAreRefusedWhenTheDiskTurnsOutFull) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    disk.set_capacity(disk.used());
    for (int i = 0; i < 40; ++i) session.offer(filler(4000));
    session.runtime.settle();
    ASSERT_EQ(session.outcomes.size(), 40U);
    bool refused = false;
    for (const auto& outcome : session.outcomes) {
        if (!outcome) {
            EXPECT_EQ(outcome.error().code, Errc::no_space);
        }
        EXPECT_FALSE(refused && outcome) << "none overtakes a refused one";
        refused = refused || !outcome;
    }
    EXPECT_TRUE(refused);
}

// A journal that promotions have filled as far as they can opens many times on a full disk.
TEST(LocalJournal, OpensOnAFullDisk) {
    FakeDisk disk(1);
    std::vector<std::string> commands;
    {
        Session session(disk);
        session.opened();
        disk.set_capacity(disk.used());
        while (session.append(filler(1000))) {
        }
        while (session.append(filler(1000), Urgency::promotion)) {
        }
        commands = session.recorder.commands();
    }
    for (int turn = 0; turn < 90; ++turn) {
        disk.power_cut(FakeDisk::Survival::some);
        Session session(disk, static_cast<std::uint64_t>(turn));
        session.opened();
        ASSERT_TRUE(session.journal) << turn << ": " << to_string(*session.error);
        ASSERT_EQ(session.recorder.commands(), commands);
        EXPECT_FALSE(session.append(filler(1000)));
        EXPECT_EQ(session.journal->space(), Space::reserve_only);
    }
    for (int turn = 0; turn < 40; ++turn) {
        disk.power_cut(FakeDisk::Survival::some);
        Session session(disk, static_cast<std::uint64_t>(turn));
        session.opened();
        if (session.journal) continue;
        EXPECT_EQ(session.error->code, Errc::no_space);
        EXPECT_EQ(session.error->effect, Effect::none);
        EXPECT_THAT(session.error->detail, HasSubstr("no room to begin a tenure"));
    }
    disk.power_cut(FakeDisk::Survival::some);
    disk.set_capacity(UINT64_MAX);
    Session healed(disk);
    healed.opened();
    ASSERT_TRUE(healed.journal);
    EXPECT_TRUE(healed.append("healed"));
    EXPECT_EQ(healed.recorder.commands().size(), commands.size() + 1);
}

TEST(LocalJournal, KeepsTwoCheckpointsAndTheSegmentsBehindTheOlder) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    for (int round = 0; round < 6; ++round) {
        for (int i = 0; i < 12; ++i) ASSERT_TRUE(session.append(filler(10'000)));
        ASSERT_TRUE(session.checkpoint("state " + std::to_string(round)));
        EXPECT_LE(files(disk, ".ckpt").size(), 2U);
        EXPECT_LE(files(disk, ".seg").size(), 7U)
            << "two rounds, three segments each, and a reserve";
    }
    EXPECT_EQ(session.journal->checkpoint(), session.journal->committed());
    ASSERT_TRUE(session.append("behind it"));
    session.journal.reset();

    disk.power_cut(FakeDisk::Survival::none);
    Session next(disk, 2);
    next.opened();
    EXPECT_EQ(next.recorder.restored, "state 5");
    EXPECT_THAT(next.recorder.commands(), ElementsAre("behind it"));
}

TEST(LocalJournal, ACheckpointThatFindsTheDiskFullLeavesEverythingAsItWas) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("one"));
    ASSERT_TRUE(session.checkpoint("first"));
    ASSERT_TRUE(session.append("two"));
    const auto names = disk.names();
    disk.set_capacity(disk.used());
    const auto refused = session.checkpoint("second");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::no_space);
    EXPECT_EQ(refused.error().effect, Effect::none);
    EXPECT_EQ(disk.names(), names);
    EXPECT_TRUE(session.append("three"));
    EXPECT_THAT(session.recorder.failures, IsEmpty());
}

TEST(LocalJournal, RefusesASecondCheckpointMeanwhile) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    session.runtime.hold_jobs(true);
    std::vector<Result<void>> results;
    for (int i = 0; i < 2; ++i) {
        session.save("", [&](Result<void> result) { results.push_back(result); });
    }
    session.runtime.hold_jobs(false);
    session.runtime.settle();
    ASSERT_EQ(results.size(), 2U);
    EXPECT_FALSE(results[0]);
    EXPECT_TRUE(results[1]);
}

TEST(LocalJournal, ACheckpointOfManySlicesComesBackInBoundedOnes) {
    FakeDisk disk(1);
    std::string state(10 * MiB + 12'345, 's');
    for (std::size_t i = 0; i < state.size(); i += 1000) state[i] = static_cast<char>(i / 1000);
    {
        Session session(disk);
        session.opened();
        ASSERT_TRUE(session.append("one"));
        ASSERT_TRUE(session.checkpoint(state, 3'000'000));
        ASSERT_TRUE(session.append("two"));
        ASSERT_TRUE(session.close());
    }
    disk.power_cut(FakeDisk::Survival::none);
    Session session(disk, 2);
    session.opened();
    ASSERT_TRUE(session.journal);
    EXPECT_TRUE(session.recorder.restored == state);
    EXPECT_EQ(session.recorder.slices, 11U) << "a MiB each";
    EXPECT_THAT(session.recorder.commands(), ElementsAre("two"));
}

TEST(LocalJournal, AppendsGoOnWhileACheckpointIsWritten) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("in it"));
    auto writer = session.journal->begin_checkpoint();
    ASSERT_TRUE(writer);
    EXPECT_EQ((*writer)->at(), Index{2});
    std::optional<Result<void>> written;
    const auto done = [&](Result<void> result) { written = std::move(result); };
    for (const std::string_view slice : {"in ", "it"}) {
        const Bytes bytes = as_bytes(slice);
        written.reset();
        (*writer)->write(Buffer(bytes.begin(), bytes.end()), done);
        EXPECT_FALSE(written) << "never within the call";
        session.runtime.settle();
        ASSERT_TRUE(written && *written);
        ASSERT_TRUE(session.append("behind it"));
    }
    written.reset();
    (*writer)->finish(done);
    session.runtime.settle();
    ASSERT_TRUE(written && *written);
    EXPECT_EQ(session.journal->checkpoint(), Index{2});
    disk.power_cut(FakeDisk::Survival::none);
    Session next(disk, 2);
    next.opened();
    EXPECT_EQ(next.recorder.restored, "in it");
    EXPECT_THAT(next.recorder.commands(), ElementsAre("behind it", "behind it"));
}

// The checkpoint is given up between any two steps, or while the last one is under way. Nothing is
// left of it, and the next checkpoint can begin.
TEST(LocalJournal, NothingIsLeftOfACheckpointThatIsGivenUp) {
    for (int given_up_after = 0; given_up_after < 4; ++given_up_after) {
        FakeDisk disk(1);
        Session session(disk);
        session.opened();
        ASSERT_TRUE(session.append("one"));
        const auto names = disk.names();
        auto writer = session.journal->begin_checkpoint();
        ASSERT_TRUE(writer);
        for (int i = 0; i < std::min(given_up_after, 2); ++i) {
            (*writer)->write(Buffer(100), [](const Result<void>&) {});
            session.runtime.settle();
        }
        if (given_up_after == 3) {
            (*writer)->finish([](const Result<void>&) { FAIL() << "it was given up"; });
        }
        writer->reset();
        auto second = session.journal->begin_checkpoint();
        EXPECT_TRUE(second);
        second->reset();
        session.runtime.settle();
        EXPECT_EQ(disk.names(), names) << given_up_after;
        EXPECT_EQ(session.journal->checkpoint(), Index{});
        ASSERT_TRUE(session.checkpoint("state"));
        EXPECT_EQ(session.journal->checkpoint(), Index{2});
    }
}

TEST(LocalJournal, ACheckpointThatIsBeingWrittenDoesNotHoldUpTheClosing) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("one"));
    auto writer = session.journal->begin_checkpoint();
    ASSERT_TRUE(writer);
    (*writer)->write(Buffer(100), [](const Result<void>&) {});
    session.runtime.settle();
    EXPECT_EQ(files(disk, ".tmp").size(), 1U);
    ASSERT_TRUE(session.close());
    EXPECT_THAT(files(disk, ".tmp"), IsEmpty());
    std::optional<Result<void>> refused;
    (*writer)->write(Buffer(100), [&](Result<void> result) { refused = std::move(result); });
    session.runtime.settle();
    ASSERT_TRUE(refused && !*refused);
    EXPECT_EQ(refused->error().code, Errc::closed);
}

TEST(LocalJournal, ACheckpointOutlivesItsJournalWithoutHarm) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("one"));
    auto writer = session.journal->begin_checkpoint();
    ASSERT_TRUE(writer);
    (*writer)->write(Buffer(100), [](const Result<void>&) { FAIL() << "nobody is called"; });
    session.journal.reset();
    session.runtime.settle();
    EXPECT_THAT(files(disk, ".tmp"), IsEmpty());
    (*writer)->finish([](const Result<void>&) { FAIL() << "nobody is called"; });
    session.runtime.settle();
    writer->reset();
}

TEST(LocalJournal, ACheckpointOfWhatIsInOneAlreadyTakesNoDiskCall) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("one"));
    ASSERT_TRUE(session.checkpoint("state"));
    const std::uint64_t calls = disk.calls();
    EXPECT_TRUE(session.checkpoint("state"));
    EXPECT_EQ(disk.calls(), calls);
}

TEST(LocalJournal, ItsHolderIsActiveFromTheOpeningOn) {
    FakeDisk disk(1);
    Session session(disk);
    bool before_the_end = false;
    session.recorder.on_standing = [&] {
        before_the_end = !session.journal && session.recorder.heard.size() == 1;
    };
    session.opened();
    const Standing active{.role = Role::active, .epoch = {1}, .active = ""};
    EXPECT_THAT(session.recorder.standings, ElementsAre(active));
    EXPECT_TRUE(before_the_end) << "behind the entry that began the tenure";
    EXPECT_EQ(session.journal->standing(), active);

    disk.set_fault([](std::string_view call, const std::string&) -> std::optional<Errc> {
        if (call == "sync") return Errc::disk_failed;
        return std::nullopt;
    });
    EXPECT_FALSE(session.append("lost"));
    EXPECT_EQ(session.journal->standing().role, Role::standby);
    EXPECT_EQ(session.recorder.standings.size(), 1U) << "failed() has said it";
}

TEST(LocalJournal, ConfirmsThatItIsActiveUntilItIsNot) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    const auto confirmed = [&] {
        std::optional<Result<void>> outcome;
        session.journal->confirm([&](Result<void> result) { outcome = std::move(result); });
        EXPECT_FALSE(outcome) << "never within the call";
        session.runtime.settle();
        return outcome.value_or(Error{.code = Errc::timed_out});
    };
    EXPECT_TRUE(confirmed());
    disk.set_fault([](std::string_view call, const std::string&) -> std::optional<Errc> {
        if (call == "sync") return Errc::disk_failed;
        return std::nullopt;
    });
    EXPECT_FALSE(session.append("lost"));
    ASSERT_FALSE(confirmed());
    EXPECT_EQ(confirmed().error().code, Errc::disk_failed);
    EXPECT_EQ(confirmed().error().effect, Effect::none);

    FakeDisk other(1);
    Session closing(other);
    closing.opened();
    closing.journal->close([] {});
    std::optional<Result<void>> outcome;
    closing.journal->confirm([&](Result<void> result) { outcome = std::move(result); });
    closing.runtime.settle();
    ASSERT_TRUE(outcome && !*outcome);
    EXPECT_EQ(outcome->error().code, Errc::closed);
}

TEST(LocalJournal, CloseWaitsForWhatWasAcceptedAndRefusesTheRest) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    for (int i = 0; i < 50; ++i) session.offer(filler(3000));
    session.save("", [](const Result<void>&) {});
    bool closed = false;
    std::size_t outcomes_then = 0;
    session.journal->close([&] {
        closed = true;
        outcomes_then = session.outcomes.size();
    });
    session.offer("too late");
    EXPECT_FALSE(closed) << "never within the call";
    session.runtime.settle();

    EXPECT_TRUE(closed);
    EXPECT_EQ(outcomes_then, 51U);
    std::size_t refused = 0;
    for (const auto& outcome : session.outcomes) {
        if (outcome) continue;
        ++refused;
        EXPECT_EQ(outcome.error().code, Errc::closed);
    }
    EXPECT_EQ(refused, 1U);
    const std::uint64_t calls = disk.calls();
    session.runtime.advance(10s);
    EXPECT_EQ(disk.calls(), calls);
}

TEST(LocalJournal, WhoHearsThatItIsClosedMayOpenItAtOnce) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        FakeDisk disk(seed);
        Session session(disk, seed);
        session.runtime.run_until([&] { return session.journal != nullptr; });
        const std::size_t offered = seed % 3 * 10;
        for (std::size_t i = 0; i < offered; ++i) session.offer(filler(3000));
        bool checkpoint_heard = false;
        session.save(
            "state", [&](const Result<void>&) { checkpoint_heard = true; }, 2);
        bool closed = false;
        session.journal->close([&] {
            closed = true;
            EXPECT_TRUE(checkpoint_heard) << seed;
            EXPECT_EQ(session.outcomes.size(), offered) << seed;
        });
        session.runtime.run_until([&] { return closed; });
        Session next(disk, seed);
        next.opened();
        EXPECT_TRUE(next.journal) << seed;
    }
}

TEST(LocalJournal, WhenIdleTheLastEntryIsVouchedForOnce) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    ASSERT_TRUE(session.append("last"));
    session.runtime.advance(10s);
    ASSERT_EQ(session.recorder.heard.size(), 3U);
    EXPECT_EQ(session.recorder.heard.back().type, EntryType::mark);
    ASSERT_TRUE(session.append("more"));
    session.runtime.advance(10s);
    EXPECT_EQ(session.recorder.heard.size(), 5U);
}

TEST(LocalJournal, MayBeDestroyedInAnyCallback) {
    for (const std::string_view where :
         {"committed", "acknowledged", "failed", "refused", "closed"}) {
        FakeDisk disk(1);
        Session session(disk);
        session.opened();
        if (where == "committed") session.recorder.on_committed = [&] { session.journal.reset(); };
        if (where == "failed" || where == "refused") {
            disk.set_fault([](std::string_view call, const std::string&) -> std::optional<Errc> {
                if (call == "sync") return Errc::disk_failed;
                return std::nullopt;
            });
            session.recorder.on_failed = [&] { session.journal.reset(); };
        }
        int heard = 0;
        for (int i = 0; i < 5; ++i) {
            session.journal->append(std::vector<Draft>(1), Urgency::ordinary, [&](const auto&) {
                ++heard;
                if (where == "acknowledged" || where == "refused") session.journal.reset();
            });
        }
        if (where == "closed") session.journal->close([&] { session.journal.reset(); });
        session.runtime.settle();
        EXPECT_FALSE(session.journal) << where;
        EXPECT_EQ(heard, where == "committed"                     ? 0
                         : where == "failed" || where == "closed" ? 5
                                                                  : 1)
            << where;
    }
}

// The lock is held until the last job of the journal has ended. So a successor never finds a job of
// its predecessor in the directory.
TEST(LocalJournal, TheDirectoryStaysLockedUntilTheLastJobHasEnded) {
    FakeDisk disk(1);
    Session first(disk);
    first.runtime.run_until([&] { return first.journal != nullptr; });
    first.runtime.hold_jobs(true);
    first.save("", [](const Result<void>&) {});
    first.offer("in flight");
    first.runtime.settle();
    first.journal.reset();

    Session second(disk, 2);
    second.opened();
    ASSERT_TRUE(second.error);
    EXPECT_EQ(second.error->code, Errc::in_use);

    first.runtime.hold_jobs(false);
    first.runtime.settle();
    EXPECT_THAT(first.outcomes, IsEmpty()) << "nobody is called any more";
    Session third(disk, 3);
    third.opened();
    EXPECT_TRUE(third.journal);
}

TEST(LocalJournal, AnOpeningThatIsGivenUpCallsNobodyAndLetsGoOfTheDirectory) {
    for (int steps = 0; steps < 12; ++steps) {
        FakeDisk disk(1);
        {
            Session old(disk);
            old.opened();
            for (int i = 0; i < 20; ++i) ASSERT_TRUE(old.append(filler(5000)));
            ASSERT_TRUE(old.checkpoint("state"));
            ASSERT_TRUE(old.append("more"));
            ASSERT_TRUE(old.close());
        }
        Session session(disk, 2);
        for (int i = 0; i < steps && !session.journal; ++i) session.runtime.step();
        if (session.journal) break;
        const std::size_t heard = session.recorder.heard.size();
        session.opening.reset();
        session.runtime.settle();
        EXPECT_FALSE(session.journal);
        EXPECT_FALSE(session.error);
        EXPECT_EQ(session.recorder.heard.size(), heard);
        Session next(disk, 3);
        next.opened();
        EXPECT_TRUE(next.journal) << steps;
    }
}

TEST(LocalJournal, AStateThatCannotBeRestoredEndsTheOpening) {
    FakeDisk disk(1);
    {
        Session session(disk);
        session.opened();
        ASSERT_TRUE(session.append("one"));
        ASSERT_TRUE(session.checkpoint("from the future"));
    }
    disk.restart_process();
    Session session(disk, 2);
    session.recorder.refuse_restore = Error{.code = Errc::corrupt, .detail = "unknown state"};
    session.opened();
    ASSERT_TRUE(session.error);
    EXPECT_EQ(session.error->detail, "unknown state");
    EXPECT_THAT(session.recorder.heard, IsEmpty());
}

TEST(LocalJournal, TooMuchWaitingIsRefused) {
    FakeDisk disk(1);
    Session session(disk);
    session.opened();
    session.runtime.hold_jobs(true);
    for (int i = 0; i < 1100; ++i) session.offer(filler(40'000));
    session.runtime.hold_jobs(false);
    session.runtime.settle();
    ASSERT_EQ(session.outcomes.size(), 1100U);
    std::size_t refused = 0;
    for (const auto& outcome : session.outcomes) {
        if (outcome) continue;
        ++refused;
        EXPECT_EQ(outcome.error().code, Errc::limit_exceeded);
    }
    EXPECT_GT(refused, 200U);
    EXPECT_LT(refused, 400U) << "32 MiB may wait";
}

}  // namespace
}  // namespace understudy::journal
