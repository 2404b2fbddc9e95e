#include "journal/shared/shared_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/shared/shared_member_test.h"
#include "journal/shared/shared_names.h"
#include "journal/shared/shared_takeover.h"

namespace understudy::journal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t third_of_a_segment = 20'000;

struct Shared : testing::Test {
    FakeDisk store{1};
    SharedOracle oracle;

    std::unique_ptr<SharedMember> member(const std::string& name, std::uint64_t seed,
                                         SharedJournal::Options options = {}) {
        auto made = std::make_unique<SharedMember>(store, oracle, name, seed, std::move(options));
        made->opened();
        return made;
    }
    std::unique_ptr<SharedMember> active(const std::string& name, std::uint64_t seed,
                                         SharedJournal::Options options = {}) {
        auto made = member(name, seed, std::move(options));
        const auto taken = made->take_over();
        EXPECT_TRUE(taken && *taken);
        return made;
    }
    [[nodiscard]] std::size_t count(std::string_view suffix) const {
        return files(store, suffix).size();
    }
    void TearDown() override { EXPECT_THAT(oracle.faults, IsEmpty()); }
};

SharedJournal::Options autonomous(Duration lease = 600ms) {
    SharedJournal::Options options;
    options.election = SharedJournal::Election::autonomous;
    options.lease = lease;
    return options;
}

TEST_F(Shared, OptionsOutOfRangeAreRefused) {
    SharedJournal::Options options;
    options.lease = Duration{};
    SharedMember bad(store, oracle, "a", 1, options);
    EXPECT_FALSE(bad.error) << "never within the call";
    bad.opened();
    ASSERT_TRUE(bad.error);
    EXPECT_EQ(bad.error->code, Errc::bad_config);

    SharedMember long_name(store, oracle, std::string(473, 'n'), 1);
    long_name.opened();
    ASSERT_TRUE(long_name.error);
    EXPECT_EQ(long_name.error->code, Errc::bad_config);
    EXPECT_THAT(store.names(), IsEmpty());
}

TEST_F(Shared, AStandbyMayNotAppendOrConfirm) {
    const auto a = member("a", 1);
    ASSERT_TRUE(a->journal);
    EXPECT_EQ(a->journal->standing().role, Role::standby);
    EXPECT_FALSE(a->append());
    EXPECT_EQ(a->last_error->code, Errc::not_active);
    EXPECT_EQ(a->last_error->effect, Effect::none);
    std::optional<Result<void>> confirmed;
    a->journal->confirm([&](const Result<void>& result) { confirmed = result; });
    EXPECT_FALSE(confirmed) << "never within the call";
    a->runtime.settle();
    ASSERT_TRUE(confirmed);
    EXPECT_EQ(confirmed->error().code, Errc::not_active);
}

TEST_F(Shared, WhoTakesOverServesInANewEpoch) {
    const auto a = active("a", 1);
    EXPECT_EQ(a->journal->standing(),
              (Standing{.role = Role::active, .epoch = {1}, .active = "a"}));
    EXPECT_TRUE(a->append(3));
    EXPECT_EQ(a->journal->committed(), Index{4});
    std::optional<Result<void>> confirmed;
    a->journal->confirm([&](const Result<void>& result) { confirmed = result; });
    a->runtime.settle();
    EXPECT_TRUE(confirmed && *confirmed);
}

TEST_F(Shared, TheEpochIsAtLeastWhatWasAskedFor) {
    const auto a = member("a", 1);
    auto taken = a->take_over({41});
    ASSERT_TRUE(taken && *taken);
    EXPECT_EQ(**taken, Epoch{41});
    EXPECT_TRUE(a->append());
    taken = a->take_over({40});
    ASSERT_TRUE(taken && *taken);
    EXPECT_EQ(**taken, Epoch{41}) << "it is already";
    taken = a->take_over({50});
    ASSERT_TRUE(taken && *taken);
    EXPECT_EQ(**taken, Epoch{50});
    EXPECT_TRUE(a->append());
    EXPECT_EQ(a->history().size(), 5U) << "two tenures, two commands, and the mark of the first";
}

TEST_F(Shared, ASecondTakeoverAtTheSameTimeIsRefused) {
    const auto a = member("a", 1);
    std::vector<Result<Epoch>> outcomes;
    for (int i = 0; i < 2; ++i) {
        a->journal->take_over({}, [&](const Result<Epoch>& result) { outcomes.push_back(result); });
    }
    a->runtime.settle();
    ASSERT_EQ(outcomes.size(), 2U);
    EXPECT_EQ(outcomes[0].error().code, Errc::limit_exceeded);
    EXPECT_TRUE(outcomes[1]);
}

// Without a prompt the last batch is not known to be committed until something follows it.
TEST_F(Shared, AStandbyHearsWhatIsCommittedAndNoMore) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    EXPECT_TRUE(a->append());
    EXPECT_TRUE(a->append());
    b->runtime.advance(20ms);
    EXPECT_EQ(b->journal->committed(), Index{2}) << "the third is readable, not vouched for";
    EXPECT_EQ(b->journal->standing(),
              (Standing{.role = Role::standby, .epoch = {1}, .active = "a"}));
    a->runtime.advance(1100ms);
    b->runtime.advance(20ms);
    EXPECT_EQ(b->journal->committed(), Index{3}) << "vouched for by a mark";
}

TEST_F(Shared, APromptIsWorthAPoll) {
    std::vector<std::pair<Index, Epoch>> prompts;
    SharedJournal::Options options;
    options.on_commit = [&](Index index, Epoch epoch) { prompts.emplace_back(index, epoch); };
    const auto a = active("a", 1, options);
    const auto b = member("b", 2);
    EXPECT_TRUE(a->append());
    ASSERT_FALSE(prompts.empty());
    EXPECT_EQ(prompts.back(), std::make_pair(Index{2}, Epoch{1}));

    b->journal->prompt({2}, {1});
    b->runtime.settle();
    EXPECT_EQ(b->journal->committed(), Index{2}) << "no time has passed";
    b->journal->prompt({1}, {1});
    b->journal->prompt({2}, {1});
    b->runtime.settle();
    EXPECT_EQ(b->journal->committed(), Index{2}) << "late and repeated ones do no harm";
}

// The prompt is of an epoch that this standby does not see yet. What it can read may be void.
TEST_F(Shared, APromptOfAHigherEpochWaitsForThatEpoch) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    EXPECT_TRUE(a->append());
    b->journal->prompt({2}, {7});
    b->runtime.settle();
    EXPECT_EQ(b->journal->committed(), Index{1});
}

// A flush of the active member takes less time than a look of the standby.
TEST_F(Shared, PromptsInQuickSuccessionAreReadOncePerMillisecond) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    std::uint64_t looks = 0;
    store.set_fault([&](std::string_view call, const std::string&) -> std::optional<Errc> {
        if (call == "list") ++looks;
        return std::nullopt;
    });
    for (std::uint64_t i = 2; i < 12; ++i) {
        EXPECT_TRUE(a->append());
        looks = 0;
        b->journal->prompt({i}, {1});
        b->runtime.settle();
        EXPECT_EQ(looks, i == 2 ? 1U : 0U);
    }
    EXPECT_EQ(b->journal->committed(), Index{2});
    b->runtime.advance(1ms);
    EXPECT_EQ(looks, 1U);
    EXPECT_EQ(b->journal->committed(), Index{11});
    store.set_fault({});
}

TEST_F(Shared, WhoListensOutsideIsToldWhoIsActiveAndHeardUntilTheEnd) {
    std::vector<std::pair<Standing, std::uint64_t>> told;
    SharedJournal::Options options;
    options.on_standing = [&](const Standing& standing, std::uint64_t tenure) {
        told.emplace_back(standing, tenure);
    };
    const auto a = active("a", 1, options);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].first.role, Role::active);
    const std::uint64_t tenure = told[0].second;
    EXPECT_NE(tenure, 0U);
    EXPECT_TRUE(a->append());
    const auto b = member("b", 2, options);
    ASSERT_EQ(told.size(), 2U) << "while it opens";
    EXPECT_EQ(told[1].first.active, "a");
    EXPECT_EQ(told[1].second, tenure);

    const SharedJournal::Ear ear = b->journal->ear();
    ear.prompt({2}, {1});
    b->runtime.settle();
    EXPECT_EQ(b->journal->committed(), Index{2});
    b->journal.reset();
    ear.prompt({3}, {1});
    ear.suspect();
    SharedJournal::Ear().suspect();

    a->journal->step_down([](const Result<void>&) {});
    a->runtime.settle();
    EXPECT_EQ(told.back().second, 0U) << "nobody is";
}

TEST_F(Shared, TheEarOfAJournalThatIsGoneRefusesWhileItsOpeningLives) {
    const auto a = member("a", 1);
    const SharedJournal::Ear ear = a->journal->ear();
    a->journal.reset();
    ASSERT_NE(a->opening, nullptr);
    std::optional<Result<Epoch>> told;
    ear.take_over({}, [&](Result<Epoch> result) { told = std::move(result); });
    ASSERT_TRUE(told);
    ASSERT_FALSE(*told);
    EXPECT_EQ(told->error().code, Errc::closed);
    EXPECT_EQ(told->error().effect, Effect::none);
    ear.prompt({7}, {1});
    ear.suspect();
    a->runtime.settle();
}

TEST_F(Shared, AFailedActiveIsNobodysActiveAnyMore) {
    std::uint64_t last = 1;
    SharedJournal::Options options;
    options.on_standing = [&](const Standing&, std::uint64_t tenure) { last = tenure; };
    const auto a = active("a", 1, options);
    EXPECT_NE(last, 0U);
    store.set_fault([](std::string_view call, const std::string& path) -> std::optional<Errc> {
        if (call == "sync" && path.find(".seg") != std::string::npos) return Errc::disk_failed;
        return std::nullopt;
    });
    EXPECT_FALSE(a->append());
    EXPECT_EQ(last, 0U);
    store.set_fault({});
}

// The proven end of a process and the end of a connection both lead to suspect().
TEST_F(Shared, ASuspicionMakesATakeoverWithoutAnyTimePassing) {
    SharedJournal::Options slow = autonomous(60s);
    slow.poll_interval = 10s;
    auto a = member("a", 1, slow);
    a->runtime.advance(11s);
    ASSERT_TRUE(a->active());
    EXPECT_TRUE(a->append());
    const auto b = member("b", 2, slow);
    b->runtime.advance(11s);
    b->journal->suspect();
    b->runtime.settle();
    EXPECT_FALSE(b->active()) << "a suspicion is no evidence";
    a.reset();
    b->journal->suspect();
    b->runtime.settle();
    EXPECT_TRUE(b->active());
    EXPECT_TRUE(b->append());
}

// The connection may end before the lock is released.
TEST_F(Shared, ASuspicionIsLookedIntoAFewTimes) {
    SharedJournal::Options slow = autonomous(60s);
    slow.poll_interval = 10s;
    auto a = member("a", 1, slow);
    a->runtime.advance(11s);
    const auto b = member("b", 2, slow);
    b->runtime.advance(11s);
    b->journal->suspect();
    b->runtime.settle();
    a.reset();
    b->runtime.advance(1ms);
    EXPECT_TRUE(b->active());
}

TEST_F(Shared, ASuspicionDuringALookThatFailsIsNotLost) {
    SharedJournal::Options slow = autonomous(60s);
    slow.poll_interval = 10s;
    auto a = member("a", 1, slow);
    a->runtime.advance(11s);
    const auto b = member("b", 2, slow);
    b->runtime.advance(11s);
    a.reset();
    int failing = 1;
    store.set_fault([&](std::string_view call, const std::string& path) -> std::optional<Errc> {
        if (call == "read" && path.ends_with("epoch") && failing-- > 0) return Errc::disk_failed;
        return std::nullopt;
    });
    b->journal->suspect();
    b->journal->suspect();
    b->runtime.settle();
    store.set_fault({});
    EXPECT_TRUE(b->active());
}

// A standby writes its first segment before it is needed. It is searched before the next tenure.
TEST_F(Shared, TheFirstSegmentOfATenureIsShort) {
    static_assert(first_segment_bytes(64 * MiB) == 4 * MiB);
    static_assert(first_segment_bytes(64 * KiB) == 64 * KiB);
    const auto a = active("a", 1);
    a->runtime.settle();
    EXPECT_EQ(count(".seg"), 1U) << "no reserve before it is wanted";
    EXPECT_TRUE(a->append(1, third_of_a_segment));
    a->runtime.settle();
    EXPECT_EQ(count(".seg"), 2U);
}

TEST_F(Shared, AStandbyFollowsOverSegmentsAndEpochs) {
    auto a = active("a", 1);
    const auto b = member("b", 2);
    const auto c = member("c", 3);
    EXPECT_TRUE(a->append(10, third_of_a_segment));
    a.reset();
    ASSERT_TRUE(*b->take_over());
    EXPECT_TRUE(b->append(10, third_of_a_segment));
    EXPECT_TRUE(b->close());
    c->runtime.advance(20ms);
    EXPECT_EQ(c->journal->committed(), Index{22}) << "the last mark is vouched for by nobody";
    EXPECT_EQ(c->journal->standing().epoch, Epoch{2});
    EXPECT_EQ(c->journal->standing().active, "b");
}

TEST_F(Shared, AResumedOwnerAcknowledgesNothingMore) {
    const auto a = active("a", 1);
    EXPECT_TRUE(a->append());
    const auto b = active("b", 2);
    EXPECT_FALSE(a->append());
    EXPECT_EQ(a->last_error->code, Errc::not_active);
    EXPECT_EQ(a->last_error->effect, Effect::unknown) << "it was written, behind the seal";
    EXPECT_FALSE(a->append());
    EXPECT_EQ(a->last_error->effect, Effect::none);
    EXPECT_THAT(a->failures(), IsEmpty()) << "it goes on as a standby";
    EXPECT_TRUE(b->append());
    EXPECT_TRUE(b->append());
    a->runtime.advance(20ms);
    EXPECT_EQ(a->journal->standing(),
              (Standing{.role = Role::standby, .epoch = {2}, .active = "b"}));
    EXPECT_EQ(a->history(),
              (std::map<Index, std::string>{{{1}, ""}, {{2}, "a1 "}, {{3}, ""}, {{4}, "b1 "}}));
}

TEST_F(Shared, AnIdleOwnerLearnsByItsStampThatItIsNotActive) {
    const auto a = active("a", 1);
    const auto b = active("b", 2);
    EXPECT_TRUE(a->active());
    a->runtime.advance(170ms);
    EXPECT_FALSE(a->active());
    EXPECT_TRUE(b->active());
}

TEST_F(Shared, AConfirmationOfASupersededOwnerIsRefused) {
    const auto a = active("a", 1);
    const auto b = active("b", 2);
    std::optional<Result<void>> confirmed;
    a->journal->confirm([&](const Result<void>& result) { confirmed = result; });
    a->runtime.settle();
    ASSERT_TRUE(confirmed);
    EXPECT_EQ(confirmed->error().code, Errc::not_active);
    EXPECT_FALSE(a->active());
}

TEST_F(Shared, WhoStepsDownLeavesNothingBehindThatIsNotVouchedFor) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    EXPECT_TRUE(a->append());
    a->offer(5);
    std::optional<Result<void>> left;
    a->journal->step_down([&](const Result<void>& result) { left = result; });
    a->offer();
    a->runtime.settle();
    ASSERT_TRUE(left && *left);
    EXPECT_EQ(a->acknowledged, 6);
    EXPECT_EQ(a->last_error->code, Errc::not_active);
    EXPECT_FALSE(a->active());
    b->runtime.advance(20ms);
    EXPECT_EQ(b->journal->committed(), Index{7});
    ASSERT_TRUE(*b->take_over());
    EXPECT_TRUE(b->append());
    a->runtime.advance(20ms);
    EXPECT_EQ(a->journal->standing().active, "b");
}

TEST_F(Shared, AFailedSyncEndsTheJournalForEver) {
    const auto a = active("a", 1);
    EXPECT_TRUE(a->append());
    a->runtime.settle();
    store.set_fault([](std::string_view call, const std::string& path) -> std::optional<Errc> {
        if (call == "sync" && path.find(".seg") != std::string::npos) return Errc::disk_failed;
        return std::nullopt;
    });
    EXPECT_FALSE(a->append());
    EXPECT_EQ(a->last_error->code, Errc::disk_failed);
    EXPECT_EQ(a->last_error->effect, Effect::unknown);
    store.set_fault({});
    EXPECT_FALSE(a->append());
    EXPECT_EQ(a->last_error->code, Errc::disk_failed);
    EXPECT_EQ(a->failures().size(), 1U);
    const auto b = active("b", 2);
    EXPECT_TRUE(b->append());
}

TEST_F(Shared, AnEpochThatCannotBeReadEndsTheTenure) {
    const auto a = active("a", 1);
    a->runtime.settle();
    store.set_fault([](std::string_view call, const std::string& path) -> std::optional<Errc> {
        if (call == "read" && path.ends_with("epoch")) return Errc::disk_failed;
        return std::nullopt;
    });
    EXPECT_FALSE(a->append());
    EXPECT_EQ(a->last_error->code, Errc::disk_failed);
    EXPECT_EQ(a->last_error->effect, Effect::unknown);
    EXPECT_EQ(a->failures().size(), 1U);
    store.set_fault({});
}

TEST_F(Shared, DamageBelowAClaimIsReportedWithItsIndexAndNeverSkipped) {
    {
        const auto a = active("a", 1);
        EXPECT_TRUE(a->append());
        EXPECT_TRUE(a->append());
        EXPECT_TRUE(a->append());
    }
    const auto segments = files(store, ".seg");
    // The body of entry 2 comes after the header, the seal, the tenure entry and its own header.
    store.flip(segments.front(), 8 * (64 + 64 + 40 + 40));
    const auto b = member("b", 2);
    ASSERT_TRUE(b->journal);
    EXPECT_EQ(b->journal->committed(), Index{0});
    const auto taken = b->take_over();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->error().code, Errc::corrupt);
    EXPECT_THAT(taken->error().detail, HasSubstr("entry 2 "));
    EXPECT_EQ(b->failures().size(), 1U);
}

TEST_F(Shared, AStandbyReportsDamageThatItWouldWaitForInVain) {
    {
        const auto a = active("a", 1);
        for (int i = 0; i < 4; ++i) EXPECT_TRUE(a->append());
    }
    store.flip(files(store, ".seg").front(), 8 * (64 + 64 + 40 + 40));
    const auto b = member("b", 2);
    b->runtime.advance(1200ms);
    ASSERT_EQ(b->failures().size(), 1U);
    EXPECT_THAT(b->failures().front().detail, HasSubstr("entry 2 "));
}

TEST_F(Shared, AStandbyThatCannotReadForAWhileGoesOnWhenItCan) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(a->append());
    store.set_fault([](std::string_view call, const std::string&) -> std::optional<Errc> {
        if (call == "read") return Errc::disk_failed;
        return std::nullopt;
    });
    b->runtime.advance(3s);
    store.set_fault({});
    b->runtime.advance(20ms);
    EXPECT_THAT(b->failures(), IsEmpty());
    EXPECT_EQ(b->journal->committed(), Index{4});
}

TEST_F(Shared, AStandbyThatCannotReadOnMissesNoEntry) {
    for (int reads = 1; reads <= 8; ++reads) {
        const std::string name = std::to_string(reads);
        const auto a = active("a" + name, 1);
        const auto b = member("b" + name, 2);
        EXPECT_TRUE(a->append(6, third_of_a_segment));  // In more than one segment.
        EXPECT_TRUE(a->append());
        int left = reads;
        store.set_fault([&](std::string_view call, const std::string&) -> std::optional<Errc> {
            if (call == "read" && left-- <= 0) return Errc::disk_failed;
            return std::nullopt;
        });
        b->runtime.advance(60ms);
        store.set_fault({});
        b->runtime.advance(60ms);
        EXPECT_THAT(b->failures(), IsEmpty());
        EXPECT_GE(b->journal->committed().next(), a->journal->committed());
    }
}

TEST_F(Shared, CheckpointsOfAStandbyTrimTheActivesSegments) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(a->append(6, third_of_a_segment));
        a->runtime.advance(1100ms);
        b->runtime.advance(100ms);
        EXPECT_TRUE(b->checkpoint()) << to_string(b->last_error.value_or(Error{Errc::closed}));
    }
    EXPECT_EQ(count(".ckpt"), 3U);
    a->runtime.advance(2100ms);
    EXPECT_EQ(count(".ckpt"), 2U);
    EXPECT_LE(count(".seg"), 5U) << "of eight";
    EXPECT_EQ(a->journal->checkpoint(), b->journal->checkpoint());

    const auto c = active("c", 3);
    EXPECT_EQ(c->restored(), 1U);
    EXPECT_TRUE(c->append());
    EXPECT_EQ(c->history().size(), c->journal->committed().value);
}

TEST_F(Shared, AStandbyThatWasLeftBehindIsGivenACheckpoint) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(a->append(6, third_of_a_segment));
        EXPECT_TRUE(a->checkpoint());
        a->runtime.settle();
    }
    EXPECT_TRUE(a->append());
    EXPECT_TRUE(a->append());
    b->runtime.advance(20ms);
    EXPECT_EQ(b->restored(), 1U);
    EXPECT_EQ(b->journal->committed().value + 1, a->journal->committed().value);
    EXPECT_EQ(b->history().size(), b->journal->committed().value);
}

/// A listing is not made at one moment. It may or may not have files that are made or removed
/// meanwhile.
class TornListing final : public Disk {
public:
    explicit TornListing(FakeDisk& store) : store_(store) {}
    Result<std::vector<std::string>> list(const std::string& path) override {
        auto names = store_.list(path);
        if (names) std::erase_if(*names, std::exchange(missed, [](const auto&) { return false; }));
        return names;
    }
    Result<std::unique_ptr<File>> open(const std::string& path, Open how) override {
        return store_.open(path, how);
    }
    Result<void> make_directory(const std::string& path) override {
        return store_.make_directory(path);
    }
    Result<void> rename(const std::string& from, const std::string& to) override {
        return store_.rename(from, to);
    }
    Result<void> remove(const std::string& path) override { return store_.remove(path); }
    Result<std::uint64_t> free_bytes(const std::string& path) override {
        return store_.free_bytes(path);
    }
    Result<void> sync_directory(const std::string& path) override {
        return store_.sync_directory(path);
    }

    std::function<bool(const std::string&)> missed = [](const auto&) { return false; };  // Once.

private:
    FakeDisk& store_;
};

TEST_F(Shared, WhatAListingMissedIsLookedForOnceMore) {
    const auto a = active("a", 1);
    TornListing disk(store);
    SharedReader reader(disk, directory);
    ASSERT_TRUE(reader.next());
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(a->append(6, third_of_a_segment));
        EXPECT_TRUE(a->checkpoint());
        a->runtime.settle();
    }
    const Heard heard = reader.heard();
    disk.missed = [](const std::string& name) { return name.ends_with(".ckpt"); };
    const auto slice = reader.next();
    ASSERT_TRUE(slice) << to_string(slice.error());
    EXPECT_TRUE(slice->state);

    // A file that two listings do not have is gone.
    for (const std::string& path : files(store, ".ckpt")) store.erase(path);
    SharedReader next(disk, directory);
    next.resume(heard, reader.journal());
    const auto lost = next.next();
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Errc::corrupt);
}

// The member with the lower claim names its segment after the one with the higher claim has heard
// that there is nothing.
TEST_F(Shared, WhoTakesOverWhatItHasNotHeardGoesOnInThatJournal) {
    bool both = false;
    for (std::uint64_t call = 1; call <= 40; ++call) {
        for (int steps = 1; steps <= 6; ++steps) {
            FakeDisk disk(call);
            SharedOracle told_here;
            SharedMember low(disk, told_here, "l", 3);
            SharedMember high(disk, told_here, "h", 4);
            low.opened();
            high.opened();
            bool told = false;
            low.journal->take_over({}, [&](const Result<Epoch>&) { told = true; });
            for (int i = 0; i < steps; ++i) low.runtime.step();
            high.mount.pause_at(high.mount.calls() + call,
                                [&] { low.runtime.run_until([&] { return told; }); });
            const auto taken = high.take_over();
            low.runtime.run_until([&] { return told; });
            verify_what_is_left(disk, told_here);
            ASSERT_THAT(told_here.faults, IsEmpty()) << "call " << call << ", steps " << steps;
            both = both || (taken && *taken && files(disk, ".seg").size() > 1);
        }
    }
    EXPECT_TRUE(both);
}

TEST_F(Shared, OnlyOneMemberWritesACheckpointAtATime) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    EXPECT_TRUE(a->append(2));
    EXPECT_TRUE(a->append(2));
    b->runtime.advance(20ms);
    auto begun = a->journal->begin_checkpoint();
    ASSERT_TRUE(begun);
    auto writer = *std::move(begun);
    bool written = false;
    writer->write(Buffer(10), [&](const Result<void>& result) { written = bool(result); });
    a->runtime.settle();
    EXPECT_TRUE(written);
    EXPECT_FALSE(b->checkpoint());
    EXPECT_EQ(b->last_error->code, Errc::limit_exceeded);
    writer.reset();
    a->runtime.settle();
    EXPECT_TRUE(b->checkpoint());
    EXPECT_EQ(count(".tmp"), 0U);
}

TEST_F(Shared, AFullDiskStillAllowsATakeoverAndPromotions) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    b->runtime.settle();
    a->runtime.settle();
    EXPECT_EQ(count(".spare"), 2U) << "one each";
    store.set_capacity(store.used() + 4 * KiB);
    ASSERT_TRUE(*b->take_over());
    EXPECT_EQ(b->journal->space(), Space::ok);
    int refused = 0;
    for (int i = 0; i < 6; ++i) refused += b->append(1, third_of_a_segment) ? 0 : 1;
    EXPECT_GT(refused, 2);
    EXPECT_EQ(b->last_error->code, Errc::no_space);
    EXPECT_THAT(b->last_error->detail, HasSubstr("4 KiB free, 64 KiB wanted for a segment"));
    EXPECT_EQ(b->journal->space(), Space::reserve_only);
    bool promoted = false;
    b->journal->append(std::vector<Draft>(1), Urgency::promotion,
                       [&](const Result<Index>& result) { promoted = bool(result); });
    b->runtime.settle();
    EXPECT_TRUE(promoted);

    store.set_capacity(UINT64_MAX);
    b->runtime.advance(1100ms);
    EXPECT_TRUE(b->append(1, third_of_a_segment));
}

TEST_F(Shared, WithoutARegistryTheFirstOneIsActive) {
    const auto a = member("a", 1, autonomous());
    a->runtime.advance(100ms);
    EXPECT_TRUE(a->active());
    EXPECT_TRUE(a->append());
}

TEST_F(Shared, WithoutARegistryADeadOwnerIsReplacedAtOnce) {
    auto a = member("a", 1, autonomous());
    a->runtime.advance(100ms);
    EXPECT_TRUE(a->append());
    const auto b = member("b", 2, autonomous());
    for (int i = 0; i < 20; ++i) {
        a->runtime.advance(100ms);
        b->runtime.advance(100ms);
    }
    EXPECT_TRUE(a->active()) << "for two seconds";
    EXPECT_FALSE(b->active());
    a.reset();
    b->runtime.advance(21ms);
    EXPECT_TRUE(b->active());
    EXPECT_TRUE(b->append());
}

TEST_F(Shared, WithoutARegistryAHungOwnerIsReplacedAfterALease) {
    const auto a = member("a", 1, autonomous());
    a->runtime.advance(100ms);
    EXPECT_TRUE(a->append());
    const auto b = member("b", 2, autonomous());
    b->runtime.advance(500ms);
    EXPECT_FALSE(b->active());
    b->runtime.advance(200ms);
    EXPECT_TRUE(b->active());
    EXPECT_TRUE(b->append());

    EXPECT_FALSE(a->append()) << "resumed";
    EXPECT_EQ(a->last_error->code, Errc::not_active);
    EXPECT_EQ(a->last_error->effect, Effect::unknown);
    for (int i = 0; i < 20; ++i) {
        a->runtime.advance(100ms);
        b->runtime.advance(100ms);
    }
    EXPECT_TRUE(b->active()) << "the old owner does not take it back";
    EXPECT_FALSE(a->active());
}

TEST_F(Shared, WithoutARegistryOneOfTwoThatClaimAtOnceWins) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        FakeDisk fresh(seed);
        SharedMember a(fresh, oracle, "a", seed, autonomous());
        SharedMember b(fresh, oracle, "b", seed + 100, autonomous());
        a.opened();
        b.opened();
        Random random(seed);
        for (int turn = 0; turn < 4000; ++turn) {
            SharedMember& next = random.chance(1, 2) ? a : b;
            if (!next.runtime.step()) next.runtime.advance(5ms);
        }
        EXPECT_NE(a.active(), b.active()) << seed;
        EXPECT_TRUE(a.active() ? a.append() : b.append());
        oracle = {};
    }
}

TEST_F(Shared, WhoSteppedDownLeavesTheNextEpochToOthers) {
    const auto a = member("a", 1, autonomous());
    a->runtime.advance(100ms);
    ASSERT_TRUE(a->active());
    const auto b = member("b", 2, autonomous());
    a->journal->step_down([](const Result<void>&) {});
    a->runtime.advance(100ms);
    EXPECT_FALSE(a->active());
    b->runtime.advance(21ms);
    EXPECT_TRUE(b->active());
}

TEST_F(Shared, WhatTheDeadHaveLeftUnfinishedIsRemoved) {
    {
        const auto dead = member("d", 4);
        dead->runtime.settle();
        EXPECT_EQ(count(".spare"), 1U);
    }
    store.put(std::string(directory) + "/0000000000000001-0000000100000002.seg.tmp", Buffer(10));
    store.put(std::string(directory) + "/0000000000000009.ckpt.tmp", Buffer(10));
    store.put(std::string(directory) + "/notes.txt", Buffer(10));
    auto a = active("a", 1);
    a->runtime.settle();
    EXPECT_EQ(count("9.ckpt.tmp"), 0U);
    a.reset();
    const auto b = active("b", 2);
    b->runtime.settle();
    EXPECT_EQ(count(".tmp"), 0U);
    EXPECT_EQ(count(".claim"), 1U);
    EXPECT_EQ(count(".spare"), 1U) << "its own";
    EXPECT_EQ(count("notes.txt"), 1U) << "not ours";
}

TEST_F(Shared, AnOpenerGivesAJournalThatCanBeMadeActive) {
    FakeMount mount(store);
    FakeRuntime runtime(
        mount, [&] { return mount.dead(); }, 1);
    NullLog log;
    Recorder recorder;
    SharedJournal* shared = nullptr;
    std::unique_ptr<Journal> journal;
    SharedJournal::Options options;
    options.directory = directory;
    const Open open =
        SharedJournal::opener(runtime, log, options, [&](SharedJournal& made) { shared = &made; });
    const auto opening = open(recorder, [&](Result<std::unique_ptr<Journal>> result) {
        if (result) journal = *std::move(result);
    });
    runtime.settle();
    ASSERT_TRUE(journal);
    shared->take_over({}, [](const Result<Epoch>&) {});
    runtime.settle();
    ASSERT_EQ(recorder.standings.size(), 2U);
    EXPECT_EQ(recorder.standings[0].role, Role::standby);
    EXPECT_EQ(recorder.standings[1].role, Role::active);
}

TEST_F(Shared, AnOpeningThatIsGivenUpCallsNobody) {
    {
        const auto old = active("o", 1);
        ASSERT_TRUE(old->append(5, third_of_a_segment));
    }
    for (int steps = 0; steps < 12; ++steps) {
        SharedMember member(store, oracle, "m", 2);
        for (int i = 0; i < steps && !member.journal; ++i) member.runtime.step();
        if (member.journal) break;
        const std::size_t heard = member.history().size();
        member.opening.reset();
        member.runtime.settle();
        EXPECT_FALSE(member.journal);
        EXPECT_FALSE(member.error);
        EXPECT_EQ(member.history().size(), heard) << steps;
    }
}

TEST_F(Shared, CloseLetsGoOfEverything) {
    const auto a = active("a", 1);
    a->offer(3);
    EXPECT_TRUE(a->close());
    EXPECT_EQ(a->acknowledged, 3);
    EXPECT_FALSE(a->append());
    EXPECT_EQ(a->last_error->code, Errc::closed);
    const auto b = member("b", 2, autonomous());
    b->runtime.advance(21ms);
    EXPECT_TRUE(b->active()) << "the lock of the claim is free";
    EXPECT_TRUE(b->close());
}

// Appends that wait for the next segment would keep the journal open as long as there is no
// descriptor.
TEST_F(Shared, OneThatIsShortOfDescriptorsForItsNextSegmentLeavesAllTheSame) {
    for (const bool closes : {true, false}) {
        FakeDisk fresh(3);
        oracle = {};
        SharedMember a(fresh, oracle, "a", 3);
        a.opened();
        a.take_over();
        ASSERT_TRUE(a.active());
        fresh.set_fault([](std::string_view call, const std::string& path) -> std::optional<Errc> {
            if (call == "open" && path.ends_with(".seg.tmp")) return Errc::no_descriptors;
            return std::nullopt;
        });
        a.offer(4, third_of_a_segment);
        a.runtime.advance(3s);
        EXPECT_EQ(a.answered, 2) << "so many fit before a reserve is needed";
        bool left = false;
        if (closes) {
            left = a.close();
        } else {
            a.journal->step_down([&](const Result<void>& result) { left = bool{result}; });
            a.runtime.settle();
        }
        EXPECT_TRUE(left);
        EXPECT_EQ(a.answered, 4);
        EXPECT_EQ(a.acknowledged, 2);
        ASSERT_TRUE(a.last_error);
        EXPECT_EQ(a.last_error->code, closes ? Errc::closed : Errc::not_active);
        EXPECT_EQ(a.last_error->effect, Effect::none);
    }
}

TEST_F(Shared, MayBeDestroyedInAnyCallback) {
    for (const std::string_view where : {"acknowledged", "taken", "left", "closed"}) {
        FakeDisk fresh(3);
        SharedMember a(fresh, oracle, "a", 3);
        a.opened();
        const auto gone = [&](std::string_view here) {
            if (here == where) a.journal.reset();
        };
        a.journal->take_over({}, [&](const Result<Epoch>&) { gone("taken"); });
        a.runtime.settle();
        for (int i = 0; i < 3 && a.journal; ++i) {
            a.journal->append(std::vector<Draft>(1), Urgency::ordinary,
                              [&](const Result<Index>&) { gone("acknowledged"); });
        }
        a.runtime.settle();
        if (a.journal) a.journal->step_down([&](const Result<void>&) { gone("left"); });
        a.runtime.settle();
        if (a.journal) a.journal->close([&] { gone("closed"); });
        a.runtime.settle();
        EXPECT_FALSE(a.journal) << where;
        oracle = {};
    }
}

}  // namespace
}  // namespace understudy::journal
