// No descriptor or no memory is left at a call that opens something. No tenure ends because of
// that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/fakes/session_test.h"
#include "journal/node_log/node_session_test.h"
#include "journal/shared/shared_member_test.h"

namespace understudy::journal {
namespace {

using ::testing::IsEmpty;

/// Some calls that need a descriptor do not get one. Calls are counted from 1.
struct DescriptorsShort {
    std::uint64_t from = 0;
    std::uint64_t count = 0;
    bool on = true;
    std::uint64_t calls = 0;

    void put_into(FakeDisk& disk) {
        disk.set_fault([this](std::string_view call, const std::string&) -> std::optional<Errc> {
            if (call != "open" && call != "list" && call != "sync_directory") return std::nullopt;
            if (!on || ++calls < from || calls >= from + count) return std::nullopt;
            return calls % 2 == 0 ? Errc::no_memory : Errc::no_descriptors;
        });
    }
};

constexpr std::uint64_t for_ever = UINT64_MAX / 2;
constexpr std::uint64_t shortages[] = {1, 2, 7, 30};

/// Lets time pass until `done`, for up to a minute.
template <class Who>
bool wait_for(Who& who, const std::function<bool()>& done) {
    for (int i = 0; i < 600 && !done(); ++i) who.runtime.advance(100ms);
    return done();
}

bool save(Session& session) {
    std::optional<Result<void>> saved;
    session.save("state", [&](const Result<void>& result) { saved = result; });
    EXPECT_TRUE(wait_for(session, [&] { return saved.has_value(); }));
    if (!saved) return false;
    if (*saved) return true;
    EXPECT_EQ(saved->error().effect, Effect::none);
    return false;
}

TEST(Shortage, ALocalJournalAcknowledgesAllInTheEndWhateverCallFindsNoDescriptor) {
    for (const std::uint64_t count : shortages) {
        for (std::uint64_t from = 1;; ++from) {
            SCOPED_TRACE(std::to_string(count) + " from call " + std::to_string(from));
            FakeDisk disk(from);
            DescriptorsShort shortage{.from = from, .count = count};
            std::vector<std::string> commands;
            {
                Session session(disk, from);
                session.runtime.run_until([&] { return session.journal != nullptr; });
                ASSERT_TRUE(session.journal);
                shortage.put_into(disk);
                for (int i = 0; i < 24; ++i) {  // Four segments.
                    session.offer(std::to_string(i) + std::string(9000, 'x'));
                    if (i % 3 == 2) {
                        const std::size_t offered = static_cast<std::size_t>(i) + 1;
                        ASSERT_TRUE(wait_for(
                            session, [&] { return session.outcomes.size() == offered; }));
                    }
                    if (i % 8 == 7) (void)save(session);
                }
                for (const auto& outcome : session.outcomes) {
                    ASSERT_TRUE(outcome) << to_string(outcome.error());
                }
                EXPECT_THAT(session.recorder.failures, IsEmpty());
                EXPECT_THAT(session.recorder.spaces, IsEmpty()) << "the disk was not full";
                disk.set_fault({});
                EXPECT_TRUE(save(session));
                commands = session.recorder.commands();
                EXPECT_TRUE(session.close());
            }
            Session again(disk, from);
            again.opened();
            ASSERT_TRUE(again.journal) << to_string(*again.error);
            EXPECT_EQ(commands.size(), 24U);
            if (shortage.calls < from) break;
        }
    }
}

TEST(Shortage, ALocalJournalThatIsShortOfDescriptorsForGoodStillCloses) {
    FakeDisk disk(1);
    Session session(disk);
    session.runtime.run_until([&] { return session.journal != nullptr; });
    DescriptorsShort shortage{.from = 1, .count = for_ever};
    shortage.put_into(disk);
    for (int i = 0; i < 9; ++i) session.offer(std::string(9000, 'x'));
    session.runtime.advance(3s);
    EXPECT_LT(session.outcomes.size(), 9U) << "the next segment cannot be made";
    EXPECT_TRUE(session.close());
    ASSERT_EQ(session.outcomes.size(), 9U);
    EXPECT_EQ(session.outcomes.back().error().code, Errc::closed);
    EXPECT_EQ(session.outcomes.back().error().effect, Effect::none);
}

TEST(Shortage, AnOpeningThatFindsNoDescriptorSaysSo) {
    for (std::uint64_t from = 1;; ++from) {
        FakeDisk disk(from);
        DescriptorsShort shortage{.from = from, .count = for_ever};
        shortage.put_into(disk);
        Session session(disk, from);
        session.runtime.run_until([&] { return session.journal || session.error; });
        if (session.journal) break;
        ASSERT_TRUE(session.error);
        EXPECT_TRUE(is_shortage(session.error->code)) << to_string(*session.error);
        EXPECT_EQ(session.error->effect, Effect::none);
        disk.set_fault({});
        Session again(disk, from);
        again.opened();
        EXPECT_TRUE(again.journal) << from;
    }
}

struct SharedShortage : testing::Test {
    FakeDisk store{1};
    SharedOracle oracle;
    DescriptorsShort shortage;

    std::unique_ptr<SharedMember> member(const std::string& name, std::uint64_t seed,
                                         SharedJournal::Options options = {}) {
        auto made = std::make_unique<SharedMember>(store, oracle, name, seed, std::move(options));
        made->opened();
        return made;
    }
    std::unique_ptr<SharedMember> active(const std::string& name, std::uint64_t seed) {
        auto made = member(name, seed);
        const auto taken = made->take_over();
        EXPECT_TRUE(taken && *taken);
        return made;
    }
    void begin_shortage(std::uint64_t from = 1, std::uint64_t count = for_ever) {
        shortage = {.from = from, .count = count};
        shortage.put_into(store);
    }
    void TearDown() override { EXPECT_THAT(oracle.faults, IsEmpty()); }
};

TEST_F(SharedShortage, NoTenureEndsWhateverCallFindsNoDescriptor) {
    for (const std::uint64_t count : shortages) {
        for (std::uint64_t from = 1;; ++from) {
            SCOPED_TRACE(std::to_string(count) + " from call " + std::to_string(from));
            store = FakeDisk(from);
            oracle = {};
            {
                const auto a = active("a", from);
                begin_shortage(from, count);
                int offered = 0;
                for (int round = 0; round < 4; ++round) {
                    a->offer(2);
                    a->offer(3, 20'000);
                    offered += 5;
                    ASSERT_TRUE(wait_for(*a, [&] { return a->answered == offered; }));
                    (void)a->checkpoint();
                    a->runtime.advance(700ms);
                }
                EXPECT_EQ(a->acknowledged, offered);
                EXPECT_THAT(a->failures(), IsEmpty());
                EXPECT_TRUE(a->active());
                store.set_fault({});
                EXPECT_TRUE(wait_for(*a, [&] { return a->checkpoint(); }));
            }
            look_at_the_end(store, oracle);
            ASSERT_THAT(oracle.faults, IsEmpty());
            if (shortage.calls < from) break;
        }
    }
}

TEST_F(SharedShortage, NothingIsAcknowledgedBeforeTheEpochHasBeenReadAgain) {
    const auto a = active("a", 1);
    a->runtime.settle();
    begin_shortage();
    for (int i = 0; i < 3; ++i) {
        a->offer(1, 70);
        a->offer(8, 20'000);
        a->runtime.advance(1s);
    }
    EXPECT_EQ(a->answered, 0);
    EXPECT_TRUE(a->active());
    store.set_fault({});
    EXPECT_TRUE(wait_for(*a, [&] { return a->acknowledged == 27; }));
    EXPECT_THAT(a->failures(), IsEmpty());
}

TEST_F(SharedShortage, AConfirmationIsRefusedAndTheTenureGoesOn) {
    const auto a = active("a", 1);
    a->runtime.settle();
    begin_shortage();
    std::optional<Result<void>> confirmed;
    a->journal->confirm([&](const Result<void>& result) { confirmed = result; });
    a->runtime.settle();
    ASSERT_TRUE(confirmed && !*confirmed);
    EXPECT_TRUE(is_shortage(confirmed->error().code));
    EXPECT_EQ(confirmed->error().effect, Effect::none);
    store.set_fault({});
    a->journal->confirm([&](const Result<void>& result) { confirmed = result; });
    a->runtime.settle();
    EXPECT_TRUE(*confirmed);
    EXPECT_TRUE(a->append());
}

// Such a member serves no client, so it must not look active.
TEST_F(SharedShortage, AnActiveThatCannotReadTheEpochForALeaseIsSuperseded) {
    SharedJournal::Options options;
    options.election = SharedJournal::Election::autonomous;
    options.lease = 600ms;
    auto a = member("a", 1, options);
    for (int i = 0; i < 100 && !a->active(); ++i) a->runtime.advance(50ms);
    ASSERT_TRUE(a->active());
    const auto b = member("b", 2, options);
    begin_shortage();
    a->offer();
    for (int i = 0; i < 300 && !b->active(); ++i) {
        shortage.on = true;
        a->runtime.advance(20ms);
        shortage.on = false;
        b->runtime.advance(20ms);
    }
    ASSERT_TRUE(b->active());
    EXPECT_EQ(a->answered, 0);
    a->runtime.advance(200ms);
    EXPECT_FALSE(a->active());
    EXPECT_THAT(a->failures(), IsEmpty()) << "it stands by";
    ASSERT_EQ(a->answered, 1);
    EXPECT_EQ(a->last_error->effect, Effect::unknown);
    EXPECT_TRUE(b->append());
    a.reset();
}

TEST_F(SharedShortage, ATakeoverThatFindsNoDescriptorIsTriedAgain) {
    for (std::uint64_t from = 1;; ++from) {
        SCOPED_TRACE(from);
        store = FakeDisk(from);
        oracle = {};
        {
            const auto a = active("a", 7);
            EXPECT_TRUE(a->append(3, 20'000));
        }
        bool unhurt = false;
        {
            const auto b = member("b", from);
            begin_shortage(from);
            const auto taken = b->take_over();
            ASSERT_TRUE(taken);
            unhurt = static_cast<bool>(*taken);
            if (!unhurt) {
                EXPECT_TRUE(is_shortage(taken->error().code)) << to_string(taken->error());
                EXPECT_EQ(taken->error().effect, Effect::none);
            }
            EXPECT_THAT(b->failures(), IsEmpty());
            store.set_fault({});
            const auto again = b->take_over();
            ASSERT_TRUE(again && *again);
            EXPECT_TRUE(b->append());
        }
        look_at_the_end(store, oracle);
        ASSERT_THAT(oracle.faults, IsEmpty());
        if (unhurt) break;
    }
}

TEST_F(SharedShortage, AStandbyHearsAllWhenThereAreDescriptorsAgain) {
    const auto a = active("a", 1);
    const auto b = member("b", 2);
    EXPECT_TRUE(a->append(4));
    a->runtime.advance(2s);
    begin_shortage();
    // Meanwhile it also checks whether the entry that it waits for is damaged.
    b->runtime.advance(90s);
    EXPECT_THAT(b->failures(), IsEmpty());
    store.set_fault({});
    b->runtime.advance(100ms);
    EXPECT_GE(b->journal->committed(), Index{5});
}

TEST(Shortage, ANodesLogReadsOnWhenThereAreDescriptorsAgain) {
    FakeDisk disk(1);
    NodeSession session(disk);
    session.opened();
    for (int i = 0; i < 40; ++i) {  // More than the cache holds.
        ASSERT_TRUE(session.added(1, {entry_of(1, std::string(3000, 'x'))}));
    }
    NodeSession* const log = &session;
    DescriptorsShort shortage{.from = 1, .count = for_ever};
    shortage.put_into(disk);
    std::vector<std::size_t> found;
    for (const std::uint64_t from : {1U, 12U}) {
        log->log->load({1}, {from}, 3, 1 * MiB, [&](const Result<std::vector<GroupEntry>>& got) {
            ASSERT_TRUE(got) << to_string(got.error());
            found.push_back(got->size());
        });
    }
    session.runtime.advance(10s);
    EXPECT_THAT(found, IsEmpty());
    disk.set_fault({});
    session.runtime.advance(1s);
    EXPECT_EQ(found.size(), 2U);
    EXPECT_THAT(session.failures, IsEmpty());
    EXPECT_TRUE(session.close());
}

}  // namespace
}  // namespace understudy::journal
