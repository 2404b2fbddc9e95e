// Tests what a ConsensusCore promises beyond Raft itself.
#include "raft/driver_test.h"

namespace understudy::raft {
namespace {

using namespace consensus;

SnapshotRef checkpoint(std::uint64_t index, std::uint64_t term) {
    return {.index = {index},
            .term = {term},
            .configuration = voting({1, 2, 3}),
            .configuration_index = {1},
            .reference = {}};
}

InstallRequest offer(std::uint64_t message_term, std::uint64_t index, std::uint64_t term) {
    InstallRequest install;
    install.term = {message_term};
    install.snapshot = checkpoint(index, term);
    return install;
}

TEST(RaftCore, ANewLeaderBeginsWithABarrier) {
    Driver leader;
    leader.lead();
    EXPECT_EQ(leader.core.last(), Index{2});
    EXPECT_EQ(leader.core.commit(), Index{2});
    Driver lone({}, {}, voting({1}));
    ASSERT_EQ(lone.all<PersistEntries>().size(), 1U);
    EXPECT_EQ(lone.all<PersistEntries>()[0].entries.at(0).kind, EntryKind::barrier);
}

TEST(RaftCore, BodiesComeBackAsTheyWereGiven) {
    Driver leader;
    leader.lead();
    auto owner = std::make_shared<const Buffer>(3, std::byte{7});
    std::weak_ptr<const Buffer> life = owner;
    LogEntry entry = command(0);
    entry.body = {.owner = owner, .bytes = *owner};
    leader.must(Propose{.entries = {entry}});
    const auto persist = leader.all<PersistEntries>().at(0);
    EXPECT_EQ(persist.entries.at(0).body.bytes.data(), owner->data());
    EXPECT_EQ(persist.entries.at(0).term, leader.core.term());
    owner.reset();
    entry = {};
    leader.effects.clear();
    EXPECT_EQ(life.use_count(), 1) << "only the effect keeps it";
}

TEST(Campaign, StandsAtOnceOverTheLeadersHead) {
    Driver survivor({2});
    survivor.append(2, 3, 2, 2, {}, 2);
    ASSERT_EQ(survivor.core.leader(), ServerId{2});
    survivor.must(Campaign{});
    EXPECT_EQ(survivor.core.state(), State::candidate);
    EXPECT_EQ(survivor.all<PersistHardState>().at(0).hard, (HardState{{4}, {1}}));
    const auto requests = survivor.sent<VoteRequest>();
    ASSERT_EQ(requests.size(), 2U);
    EXPECT_FALSE(requests[0].pre_vote);
    EXPECT_TRUE(requests[0].disrupt_leader);

    // The other survivor gives its vote, although it does not know yet that the leader is dead.
    Driver other({2});
    other.append(3, 3, 2, 2, {}, 2);
    VoteRequest request = requests[0];
    request.candidate = {2};
    other.hear(2, request);
    EXPECT_TRUE(other.sent<VoteResult>(2).at(0).granted);
    request.disrupt_leader = false;
    Driver loyal({2});
    loyal.append(3, 3, 2, 2, {}, 2);
    loyal.hear(2, request);
    EXPECT_FALSE(loyal.sent<VoteResult>(2).at(0).granted);
}

TEST(Campaign, WorksWithoutALeaderAndFromAPreVote) {
    Driver alone({2});
    alone.must(Campaign{});
    EXPECT_FALSE(alone.sent<VoteRequest>().at(0).pre_vote);
    Driver asking({2});
    asking.wait();
    ASSERT_TRUE(asking.sent<VoteRequest>().at(0).pre_vote);
    asking.must(Campaign{});
    EXPECT_FALSE(asking.sent<VoteRequest>().at(0).pre_vote);
    EXPECT_TRUE(asking.sent<VoteRequest>().at(0).disrupt_leader);
    EXPECT_EQ(asking.core.term(), Epoch{3});
    EXPECT_EQ(asking.refusal(Campaign{}), Errc::refused) << "it does";
}

TEST(Campaign, IsRefusedToWhoMayNotStand) {
    Driver unelectable({}, {}, voting({1, 2, 3}), false);
    EXPECT_EQ(unelectable.refusal(Campaign{}), Errc::refused);
    Driver observer({}, {}, with(voting({2, 3}), {{1}, Membership::observer}));
    EXPECT_EQ(observer.refusal(Campaign{}), Errc::refused);
    Driver behind({2});
    behind.append(2, 3, 2, 2, {command(3)}, 1);
    EXPECT_EQ(behind.refusal(Campaign{}), Errc::refused) << "not durable yet";
    behind.must(Persisted{1});
    EXPECT_EQ(behind.refusal(Campaign{}), Errc{});
    Driver leader;
    leader.lead();
    EXPECT_EQ(leader.refusal(Campaign{}), Errc::refused);
}

TEST(Unelectable, ForgetsItsLeaderAndVotes) {
    Driver checkpointer({2}, {}, voting({1, 2, 3}), false);
    checkpointer.append(2, 3, 2, 2, {}, 2);
    checkpointer.wait();
    EXPECT_EQ(checkpointer.core.state(), State::follower);
    EXPECT_EQ(checkpointer.all<StateChanged>().at(0).leader, ServerId{});
    checkpointer.hear(3, VoteRequest{{4}, {3}, {2}, {2}, false, true});
    EXPECT_TRUE(checkpointer.sent<VoteResult>(3).at(0).granted);
    for (int i = 0; i < 10; ++i) {
        checkpointer.wait();
        EXPECT_EQ(checkpointer.core.state(), State::follower);
    }
}

TEST(Unelectable, StandsWhenItAloneHasTheNewestEntries) {
    Driver checkpointer({2, 2}, {}, voting({1, 2, 3}), false);
    checkpointer.append(2, 3, 3, 2, {}, 2);
    checkpointer.wait();
    checkpointer.hear(3, VoteRequest{{4}, {3}, {2}, {2}, false, true});
    EXPECT_FALSE(checkpointer.sent<VoteResult>(3).at(0).granted);
    checkpointer.wait();
    EXPECT_EQ(checkpointer.core.state(), State::candidate);
    // Another leader was found meanwhile, so this server need not campaign any more.
    checkpointer.append(3, 4, 3, 2, {}, 2);
    checkpointer.wait();
    EXPECT_EQ(checkpointer.core.state(), State::follower);
}

TEST(Unelectable, MayBeAllowedWhileRunning) {
    Driver checkpointer({}, {}, voting({1, 2, 3}), false);
    checkpointer.core.set_electable(true);
    checkpointer.wait();
    EXPECT_EQ(checkpointer.core.state(), State::candidate);
    checkpointer.core.set_electable(false);
    EXPECT_EQ(checkpointer.core.next_deadline(), TimePoint::max());
}

TEST(Members, ChangeOneAtATimeAndNeverBelowTwoVoters) {
    Driver follower;
    EXPECT_EQ(follower.refusal(ProposeConfiguration{voting({1, 2})}), Errc::not_active);
    Driver leader;
    leader.lead();
    const auto refused = [&](const Configuration& to) {
        return leader.refusal(ProposeConfiguration{to}) == Errc::refused;
    };
    EXPECT_TRUE(refused(voting({1, 2, 3}))) << "nothing changes";
    EXPECT_TRUE(refused(voting({1, 2, 4}))) << "two at once";
    EXPECT_TRUE(refused({})) << "nobody";
    leader.must(ProposeConfiguration{voting({1, 2})});
    leader.persist();
    leader.accept(2, leader.core.last().value);
    EXPECT_EQ(leader.core.configuration(), voting({1, 2}));
    EXPECT_TRUE(refused(voting({1}))) << "one voter is no group";
    EXPECT_TRUE(refused(with(voting({1, 2}), {{2}, Membership::observer})));
    leader.must(ProposeConfiguration{voting({1, 2, 3})});
}

TEST(Members, ChangeOnlyWhenTheTermHasACommittedEntry) {
    Driver leader({2});
    leader.wait();
    leader.hear(2,
                VoteResult{.term = leader.core.term().next(), .granted = true, .pre_vote = true});
    leader.hear(2, VoteResult{.term = leader.core.term(), .granted = true});
    ASSERT_EQ(leader.core.state(), State::leader);
    leader.persist();
    EXPECT_EQ(leader.refusal(ProposeConfiguration{voting({1, 2})}), Errc::refused);
    leader.accept(2, leader.core.last().value);
    EXPECT_EQ(leader.refusal(ProposeConfiguration{voting({1, 2})}), Errc{});
}

TEST(Members, StayWhileLeadershipIsHandedOnOrOneCatchesUp) {
    Driver leader({}, {}, with(voting({1, 2, 3}), {{4}, Membership::observer}));
    leader.lead();
    EXPECT_EQ(leader.refusal(CatchUp{{2}}), Errc::refused) << "a voter";
    EXPECT_EQ(leader.refusal(CatchUp{{9}}), Errc::refused) << "nobody";
    leader.must(CatchUp{{4}});
    EXPECT_EQ(leader.core.catch_up({4}), CatchUpState::running);
    EXPECT_EQ(leader.refusal(CatchUp{{4}}), Errc::refused);
    EXPECT_EQ(leader.refusal(ProposeConfiguration{voting({1, 2, 3})}), Errc::refused);
    leader.accept(4, leader.core.last().value);
    EXPECT_EQ(leader.core.catch_up({4}), CatchUpState::finished);

    EXPECT_EQ(leader.refusal(Transfer{{1}}), Errc::refused) << "itself";
    EXPECT_EQ(leader.refusal(Transfer{{4}}), Errc::refused) << "an observer";
    leader.must(Transfer{{2}});
    EXPECT_EQ(leader.sent<TimeoutNow>(2).size(), 1U);
    EXPECT_EQ(leader.refusal(ProposeConfiguration{voting({1, 2, 3})}), Errc::refused);
    EXPECT_EQ(leader.refusal(Propose{.entries = {command(0)}}), Errc::refused);
    EXPECT_EQ(leader.refusal(Transfer{{3}}), Errc::refused);
}

TEST(Members, ALeaderThatIsRemovedStepsDownWhenThatIsCommitted) {
    Driver leader;
    leader.lead();
    leader.must(ProposeConfiguration{voting({2, 3})});
    EXPECT_EQ(leader.core.state(), State::leader);
    EXPECT_EQ(leader.refusal(CatchUp{{1}}), Errc::refused);
    leader.persist();
    leader.accept(2, leader.core.last().value);
    EXPECT_EQ(leader.core.state(), State::leader) << "its own copy does not count";
    leader.accept(3, leader.core.last().value);
    EXPECT_EQ(leader.core.state(), State::follower);
}

TEST(Checkpoints, AreInstalledBeforeAnythingElse) {
    Driver follower;
    follower.hear(2, offer(3, 50, 2));
    ASSERT_EQ(follower.all<InstallSnapshot>().size(), 1U);
    EXPECT_EQ(follower.all<InstallSnapshot>()[0].from, ServerId{2});
    follower.append(2, 3, 50, 2, {}, 50);
    EXPECT_EQ(follower.core.commit(), Index{1}) << "it is not there yet";
    follower.append(2, 3, 50, 2, {command(3)}, 50);
    EXPECT_TRUE(follower.all<PersistEntries>().empty());
    follower.hear(3, VoteRequest{{9}, {3}, {60}, {3}, true, false});
    EXPECT_FALSE(follower.sent<VoteResult>(3).at(0).granted);

    follower.must(SnapshotInstalled{{49}, {2}});
    EXPECT_TRUE(follower.effects.empty()) << "another one";
    follower.must(SnapshotInstalled{{50}, {2}});
    EXPECT_EQ(follower.all<CommitTo>().at(0).index, Index{50});
    EXPECT_EQ(follower.core.first(), Index{51});
    EXPECT_EQ(follower.core.configuration_at({50}).index, Index{1});
}

TEST(Checkpoints, FindAnotherSourceAndGiveWayToNewerOnes) {
    Driver follower;
    follower.hear(2, offer(3, 50, 2));
    follower.hear(2, offer(3, 50, 2));
    EXPECT_TRUE(follower.all<InstallSnapshot>().empty()) << "the same again";
    follower.hear(3, offer(4, 50, 2));
    EXPECT_EQ(follower.all<InstallSnapshot>().at(0).from, ServerId{3});
    follower.hear(3, offer(4, 40, 2));
    EXPECT_TRUE(follower.all<InstallSnapshot>().empty());
    follower.hear(3, offer(4, 70, 3));
    EXPECT_EQ(follower.all<InstallSnapshot>().at(0).snapshot.index, Index{70});
    follower.must(SnapshotInstalled{{50}, {2}});
    EXPECT_EQ(follower.core.commit(), Index{1});
    follower.must(SnapshotInstalled{{70}, {3}});
    EXPECT_EQ(follower.core.commit(), Index{70});
}

// Without the guard, the engine would wait ten minutes.
TEST(Checkpoints, ALostOfferIsRepeatedThoughANewerOneWasTaken) {
    const auto offers_again = [](Guards guards) {
        Recovered found = Driver::founder({2, 2, 2, 2}, voting({1, 2, 3}));
        found.snapshot = checkpoint(3, 2);
        found.first = {4};
        found.entries.erase(found.entries.begin(), found.entries.begin() + 3);
        Driver leader(found, guards);
        leader.lead();
        leader.hear(3, AppendResult{leader.core.term(), {5}, {0}, 0});
        EXPECT_EQ(leader.sent<InstallRequest>(3).at(0).snapshot.index, Index{3});
        leader.must(SnapshotTaken{.snapshot = checkpoint(5, 2), .trailing = 0});
        leader.wait();
        const auto heartbeat = leader.sent<AppendRequest>(3).at(0);
        leader.hear(3, AppendResult{leader.core.term(), heartbeat.prev_index, {0}, 0});
        const auto again = leader.sent<InstallRequest>(3);
        return !again.empty() && again[0].snapshot.index == Index{5};
    };
    EXPECT_TRUE(offers_again({}));
    EXPECT_FALSE(offers_again(Guards::without(Guard::offered_checkpoint)));
}

TEST(Checkpoints, WhoIsInstallingOneRefusesNothing) {
    Driver follower;
    follower.hear(2, offer(3, 50, 2));
    follower.append(2, 3, 70, 3, {}, 60);
    EXPECT_EQ(follower.sent<AppendResult>(2).at(0).rejected, Index{});
    EXPECT_EQ(follower.sent<AppendResult>(2).at(0).last_index, Index{});
}

TEST(Checkpoints, OfOnesOwnMustAgreeWithTheLog) {
    Driver follower({2, 2, 2});
    follower.append(2, 3, 4, 2, {}, 4);
    const auto taken = [&](SnapshotRef ref) {
        return follower.refusal(SnapshotTaken{.snapshot = std::move(ref), .trailing = 1});
    };
    EXPECT_EQ(taken(checkpoint(5, 2)), Errc::refused) << "not committed";
    EXPECT_EQ(taken(checkpoint(3, 1)), Errc::refused) << "another term";
    SnapshotRef other = checkpoint(3, 2);
    other.configuration = voting({1, 2});
    EXPECT_EQ(taken(other), Errc::refused) << "another configuration";
    EXPECT_EQ(taken(checkpoint(3, 2)), Errc{});
    EXPECT_EQ(follower.core.first(), Index{3});
    EXPECT_EQ(taken(checkpoint(2, 2)), Errc{}) << "too late, and ignored";
    EXPECT_EQ(follower.core.first(), Index{3});
    EXPECT_EQ(follower.core.configuration(), voting({1, 2, 3}));
}

TEST(Starting, ALogThatContradictsItselfIsRefused) {
    const auto refusal = [](Recovered found) {
        RaftCore core({.id = {1}});
        const auto started = core.step(Start{.recovered = std::move(found)}, TimePoint{1s});
        return started ? Errc{} : started.error().code;
    };
    const Recovered good = Driver::founder({2, 2}, voting({1, 2, 3}));
    EXPECT_EQ(refusal(good), Errc{});
    Recovered found = good;
    found.hard.term = {0};
    EXPECT_EQ(refusal(found), Errc::corrupt);
    found = good;
    found.entries[1].term = {9};
    EXPECT_EQ(refusal(found), Errc::corrupt);
    found = good;
    found.first = {2};
    EXPECT_EQ(refusal(found), Errc::corrupt);
    found = good;
    found.entries.erase(found.entries.begin());
    EXPECT_EQ(refusal(found), Errc::corrupt);
    found = good;
    found.snapshot = checkpoint(20, 2);
    found.first = {22};
    EXPECT_EQ(refusal(found), Errc::corrupt) << "a gap";
}

TEST(Starting, ALogThatItsCheckpointWasToReplaceIsDropped) {
    Recovered found = Driver::founder({2, 2}, voting({1, 2, 3}));
    found.snapshot = checkpoint(20, 2);
    Driver follower(found);
    EXPECT_EQ(follower.core.first(), Index{21});
    EXPECT_EQ(follower.core.last(), Index{20});
    EXPECT_EQ(follower.core.commit(), Index{20});
}

}  // namespace
}  // namespace understudy::raft
