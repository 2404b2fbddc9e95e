// The checkpoints of a group, also when one arrives that is no longer wanted.

#include "replicated/group/checkpointing.h"

#include <gtest/gtest.h>

#include "replicated/group/group_fixture_test.h"

namespace understudy::replicated {
namespace {

class CheckpointingTest : public GroupTest {};

TEST_F(CheckpointingTest,
       ACheckpointThatBecomesDurableWhenTheConsensusStartsAgainDoesNotReachTheNextRun) {
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, "state");
    want(c, 20);      // A newer checkpoint takes its place before it is durable ...
    say_gone(c, 20);  // ... and does not exist any more.
    EXPECT_EQ(FakeCore::latest, nullptr) << "the consensus starts again";
    durable();
    recover();
    ASSERT_NE(FakeCore::latest, nullptr);
    const auto& start = std::get<consensus::Start>(FakeCore::latest->events.at(0));
    ASSERT_TRUE(start.recovered.snapshot);
    EXPECT_EQ(start.recovered.snapshot->index, Index{10}) << "it goes on from what is on the disk";
    EXPECT_EQ(FakeCore::latest->count<consensus::SnapshotInstalled>(), 0u);
    EXPECT_EQ(hearer.take(), Words{"restore 10"});
    EXPECT_EQ(around.ends, 0);
}

TEST_F(CheckpointingTest, ASecondSourceOfACheckpointThatHasComeIsNotAsked) {
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, "state");
    want(c, 10);
    EXPECT_EQ(asked_for_checkpoint(c), 0u);
    durable();
    EXPECT_EQ(FakeCore::latest->count<consensus::SnapshotInstalled>(), 1u);
    // Entries that follow it stay, whatever c says.
    FakeCore::latest->last_now = Index{10};
    FakeCore::latest->scripted.push_back({consensus::PersistEntries{
        .from = Index{11},
        .entries = {{.term = Epoch{3}, .kind = consensus::EntryKind::barrier, .body = {}}},
        .write = 1}});
    receive();
    send(c, 10, "state");
    durable();
    EXPECT_EQ(log.logs[group_id].entries.size(), 1u);
    EXPECT_EQ(hearer.take(), Words{"restore 10"});
}

TEST_F(CheckpointingTest, ARestorationStopsWhereANewerCheckpointTakesItsPlace) {
    const auto state_of = [](std::size_t slices) {
        return std::string((slices - 1) * journal::CheckpointReader::slice_bytes + 1, 'x');
    };
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, state_of(3));
    log.durable_position = log.written;
    // It is being opened, and its slices are read one after another ...
    group->durable(log.written);
    begin_to_want(c, 20);
    begin_to_send(c, 20, state_of(2));
    const journal::LogPosition before = log.written;
    ASSERT_TRUE(runtime.run_until([&] { return log.written > before; }));
    const Words first = hearer.take();
    EXPECT_LT(first.size(), 3u);
    durable();  // ... and then only the slices of the newer one.
    EXPECT_EQ(hearer.take(), (Words{"restore 20", "restore 20"}));
    EXPECT_EQ(FakeCore::latest->count<consensus::SnapshotInstalled>(), 2u);
}

TEST_F(CheckpointingTest, AnOwnCheckpointThatIsFinishedWhenTheConsensusStartsAgainDoesNotCount) {
    lead();
    const auto writer = begin_own();
    want(b, 10);
    std::optional<Result<void>> finished;
    say_gone(b, 10);
    EXPECT_EQ(FakeCore::latest, nullptr);
    writer->finish([&](Result<void> result) { finished = std::move(result); });
    runtime.settle();
    ASSERT_TRUE(finished);
    ASSERT_FALSE(*finished);
    EXPECT_EQ(finished->error().code, Errc::limit_exceeded) << "it is tried again";
    EXPECT_EQ(group->checkpoint(), Index{});
    recover();
    EXPECT_NE(FakeCore::latest, nullptr);
    EXPECT_EQ(around.ends, 0);
}

TEST_F(CheckpointingTest, TheCheckpointThatCountsStaysHoweverManyNewerOnesComeToNothing) {
    lead();
    const auto take = [&] {
        const auto writer = begin_own();
        std::optional<Result<void>> finished;
        writer->finish([&](Result<void> result) { finished = std::move(result); });
        runtime.settle();
        durable();
        EXPECT_TRUE(finished && *finished);
    };
    take();
    ASSERT_EQ(group->checkpoint(), Index{3});
    for (std::uint64_t index = 4; index <= 6; ++index) {
        FakeCore::latest->scripted.push_back({consensus::PersistEntries{
            .from = Index{index},
            .entries = {{.term = Epoch{3}, .kind = consensus::EntryKind::barrier, .body = {}}},
            .write = ++FakeCore::latest->writes}});
        FakeCore::latest->last_now = Index{index};
        receive();
        durable();
        commit(index);
        // It is finished while another one is on its way, which never arrives.
        const auto writer = begin_own();
        want(b, 100);
        writer->finish([](const Result<void>&) {});
        runtime.settle();
        say_gone(b, 100);
        recover();
        ASSERT_NE(FakeCore::latest, nullptr);
        FakeCore::latest->configuration_now = members.configuration();
        FakeCore::latest->last_now = Index{index};
        EXPECT_EQ(group->checkpoint(), Index{3});
        EXPECT_TRUE(on_disk(3)) << "after the one of " << index;
    }
}

TEST_F(CheckpointingTest, AGroupThatEndsInTheMiddleOfAnInstallIsToldNothingMore) {
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, "state");
    log.refuse = Error{.code = Errc::disk_failed, .detail = {}};
    FakeCore::latest->scripted.push_back(
        {consensus::PersistHardState{.hard = {.term = {9}, .vote = {}}}});
    receive();
    EXPECT_EQ(hearer.take(), Words{"failed disk_failed"});
    EXPECT_EQ(FakeCore::latest, nullptr);
    durable();
    EXPECT_EQ(hearer.take(), Words{});
}

TEST_F(CheckpointingTest, AGroupThatIsLetGoInTheMiddleOfARestorationIsToldNothingMore) {
    open();
    durable();
    hearer.take();
    want(b, 10);
    send(b, 10, "state");
    log.durable_position = log.written;
    group->durable(log.written);
    group->give_up();
    runtime.settle();
    durable();
    EXPECT_EQ(hearer.take(), Words{});
    EXPECT_EQ(around.ends, 1);
}

}  // namespace
}  // namespace understudy::replicated
