// Tests each guard by the defect that it guards against. If the engine's own behaviour is defined,
// the test also shows it with the guard off. So a newer engine that does not need the guard is
// noticed.
#include "raft/driver_test.h"

namespace understudy::raft {
namespace {

using namespace consensus;

TEST(Guards, OnlyACandidateHearsVotes) {
    Driver follower;
    follower.hear(2, VoteResult{.term = {9}, .granted = true});
    EXPECT_TRUE(follower.effects.empty());
    EXPECT_EQ(follower.core.term(), Epoch{2});
}

TEST(Guards, AnOldRejectionTakesNothingBack) {
    Driver leader({2, 2, 2});
    leader.lead();
    const Index known = leader.core.match({2});
    ASSERT_EQ(known, leader.core.last());
    leader.hear(2, AppendResult{leader.core.term(), {3}, {1}, 0});
    EXPECT_EQ(leader.core.match({2}), known);
    leader.must(Propose{.entries = {command(0)}});
    ASSERT_EQ(leader.sent<AppendRequest>(2).size(), 1U);
    EXPECT_EQ(leader.sent<AppendRequest>(2)[0].prev_index, known);
    EXPECT_EQ(leader.sent<AppendRequest>(2)[0].count, 1U);
}

Recovered compacted() {  // A checkpoint at 10. The last two entries before it are kept.
    Recovered found{.hard = {.term = {3}, .vote = {}},
                    .snapshot = SnapshotRef{.index = {10},
                                            .term = {2},
                                            .configuration = voting({1, 2, 3}),
                                            .configuration_index = {1},
                                            .reference = {}},
                    .first = {9},
                    .entries = {command(2), command(2)}};
    return found;
}

TEST(Guards, WhatACheckpointCoversIsNotCompared) {
    // For 8, just before the log, no term is known.
    for (const std::uint64_t prev : {0U, 3U, 8U}) {
        std::vector<LogEntry> entries;
        for (std::uint64_t i = prev + 1; i <= 12; ++i) entries.push_back(command(2));

        Driver plain(compacted(), Guards::without(Guard::compacted_prefix));
        if (prev != 0) {
            plain.append(2, 3, prev, 2, entries);
            ASSERT_EQ(plain.sent<AppendResult>().size(), 1U);
            EXPECT_NE(plain.sent<AppendResult>()[0].rejected, Index{});
        }

        Driver follower(compacted());
        follower.append(2, 3, prev, prev == 0 ? 0 : 2, entries);
        ASSERT_EQ(follower.all<PersistEntries>().size(), 1U);
        EXPECT_EQ(follower.all<PersistEntries>()[0].from, Index{11});
        follower.persist();
        ASSERT_EQ(follower.sent<AppendResult>().size(), 1U);
        EXPECT_EQ(follower.sent<AppendResult>()[0].rejected, Index{});
        EXPECT_EQ(follower.sent<AppendResult>()[0].last_index, Index{12});
    }
}

TEST(Guards, AConfigurationTravelsAlone) {
    Recovered found = Driver::founder({2, 2}, voting({1, 2, 3}));
    found.entries.push_back(change(2, with(voting({1, 2, 3}), {{4}, Membership::observer})));
    found.entries.push_back(command(2));
    Driver leader(std::move(found));
    leader.lead();
    // Server 3 has only the first entry.
    leader.hear(3, AppendResult{leader.core.term(), {5}, {1}, 0});
    const auto sent = leader.sent<AppendRequest>(3);
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_EQ(sent[0].prev_index, Index{1});
    EXPECT_EQ(sent[0].count, 2U);
    EXPECT_EQ(sent[1].prev_index, Index{3});
    EXPECT_EQ(sent[1].prev_term, Epoch{2});
    EXPECT_EQ(sent[1].count, 1U);
    EXPECT_EQ(sent[2].prev_index, Index{4});
    EXPECT_EQ(sent[2].count, 2U);
}

TEST(Guards, WhoAsksWithAnOldTermIsToldOurs) {
    Driver voter({5});
    const VoteRequest old{{3}, {2}, {9}, {2}, false, true};
    voter.hear(2, old);
    ASSERT_EQ(voter.sent<VoteRequest>(2).size(), 1U);
    EXPECT_EQ(voter.sent<VoteRequest>(2)[0].term, Epoch{5});
    EXPECT_EQ(voter.sent<VoteRequest>(2)[0].last_index, Index{});
    // The server that receives this takes the term, and gives no vote.
    Driver asker({2, 2, 2});
    asker.hear(3, voter.sent<VoteRequest>(2)[0].term == Epoch{5}
                      ? VoteRequest{{5}, {3}, {}, {}, false, false}
                      : VoteRequest{});
    EXPECT_EQ(asker.core.term(), Epoch{5});
    ASSERT_EQ(asker.sent<VoteResult>(3).size(), 1U);
    EXPECT_FALSE(asker.sent<VoteResult>(3)[0].granted);
}

TEST(Guards, ARefusalGoesBackATermAtATime) {
    const auto hint = [](Guards guards) {
        Driver follower({2, 2, 3, 3, 3, 3}, guards);  // Index 4 to 7 have term 3.
        follower.append(2, 4, 7, 4, {}, 1);
        EXPECT_EQ(follower.sent<AppendResult>().size(), 1U);
        EXPECT_EQ(follower.sent<AppendResult>()[0].rejected, Index{7});
        return follower.sent<AppendResult>()[0].last_index;
    };
    EXPECT_EQ(hint({}), Index{3});
    EXPECT_EQ(hint(Guards::without(Guard::short_hints)), Index{6});
}

TEST(Guards, ARefusalOfWhatIsMissingTellsTheLogsEnd) {
    Driver follower({2, 2});
    follower.append(2, 4, 9, 4, {}, 1);
    EXPECT_EQ(follower.sent<AppendResult>().at(0).last_index, Index{3});
}

TEST(Guards, AnOldRequestIsNeverConsent) {
    Driver follower({5});
    follower.append(2, 3, 0, 0, {change(1, voting({1, 2, 3}))});
    ASSERT_EQ(follower.sent<AppendResult>(2).size(), 1U);
    EXPECT_EQ(follower.sent<AppendResult>(2)[0].term, Epoch{5});
    EXPECT_NE(follower.sent<AppendResult>(2)[0].rejected, Index{});
    EXPECT_EQ(follower.sent<AppendResult>(2)[0].last_index, Index{});

    InstallRequest install;
    install.term = {3};
    install.snapshot = *compacted().snapshot;
    follower.hear(2, install);
    ASSERT_EQ(follower.sent<AppendResult>(2).size(), 1U);
    EXPECT_NE(follower.sent<AppendResult>(2)[0].rejected, Index{});
    EXPECT_EQ(follower.core.leader(), ServerId{});
}

TEST(Guards, TheCommitNeverGoesBack) {
    const auto cut_committed = [](Guards guards) {
        Driver follower({2, 2, 2, 2, 2}, guards);
        follower.append(2, 3, 6, 2, {}, 6);
        EXPECT_EQ(follower.core.commit(), Index{6});
        follower.append(2, 3, 3, 2, {}, 8);  // It ends before the commit index.
        EXPECT_EQ(follower.core.commit(), Index{6});
        // A faulty leader sends another entry for a committed index.
        AppendRequest lie{{3}, {4}, {2}, {4}, 1, {command(3)}};
        return follower.refusal(Receive{.from = {2}, .message = lie});
    };
    EXPECT_EQ(cut_committed({}), Errc::failed);
    EXPECT_EQ(cut_committed(Guards::without(Guard::steady_commit)), Errc{}) << "it was cut";
}

TEST(Guards, ACommittedChangeMakesRoomForTheNext) {
    const auto second = [](Guards guards) {
        Driver leader({}, guards);
        leader.lead();
        const auto four = with(voting({1, 2, 3}), {{4}, Membership::observer});
        leader.must(ProposeConfiguration{four});
        EXPECT_EQ(leader.refusal(ProposeConfiguration{without(four, {3})}), Errc::refused);
        leader.must(Persisted{leader.all<PersistEntries>().at(0).write});
        leader.accept(2, leader.core.last().value);
        EXPECT_EQ(leader.core.commit(), leader.core.last());
        return leader.refusal(ProposeConfiguration{without(four, {3})});
    };
    EXPECT_EQ(second({}), Errc{});
    EXPECT_EQ(second(Guards::without(Guard::committed_configuration)), Errc::refused);
}

// Two changes arrive together, and the second is cut again. The first stays in force.
TEST(Guards, ARolledBackChangeLeavesTheOneBefore) {
    Driver follower({2});
    const auto four = voting({1, 2, 3, 4});
    follower.append(2, 3, 2, 2, {change(3, four)}, 1);
    follower.persist();
    follower.append(2, 3, 3, 3, {change(3, voting({1, 2, 3, 4, 5}))}, 3);
    follower.persist();
    EXPECT_EQ(follower.core.configuration().servers.size(), 5U);
    follower.append(3, 4, 3, 3, {command(4)}, 3);
    follower.persist();
    EXPECT_EQ(follower.core.configuration(), four);
    EXPECT_EQ(follower.core.configuration_at({4}).index, Index{3});
    follower.must(Campaign{});
    EXPECT_EQ(follower.sent<VoteRequest>().size(), 3U) << "the engine knows of the fourth";
    EXPECT_EQ(follower.sent<VoteRequest>(4).size(), 1U);
}

TEST(Guards, AWriteThatWasCutMakesNothingDurable) {
    const auto acknowledged = [](Guards guards) {
        Driver follower({2}, guards);
        follower.append(2, 3, 2, 2, {command(3)}, 1);
        const std::uint64_t first = follower.all<PersistEntries>().at(0).write;
        follower.append(3, 4, 2, 2, {command(4)}, 1);  // Cuts it.
        follower.append(2, 5, 2, 2, {command(3)}, 1);  // The entry comes back.
        const std::uint64_t third = follower.all<PersistEntries>().at(0).write;
        EXPECT_EQ(third, first + 2);
        follower.must(Persisted{first});
        const bool early = !follower.sent<AppendResult>(2).empty();
        follower.must(Persisted{third});
        EXPECT_EQ(early, follower.sent<AppendResult>(2).empty());
        return early;
    };
    EXPECT_FALSE(acknowledged({}));
    EXPECT_TRUE(acknowledged(Guards::without(Guard::cut_writes)));
}

TEST(Guards, ACandidateThatLostAsksFirst) {
    Driver candidate;
    candidate.append(2, 3, 1, 1, {});
    candidate.must(Campaign{});
    ASSERT_EQ(candidate.core.term(), Epoch{4});
    candidate.wait();
    EXPECT_EQ(candidate.core.term(), Epoch{4});
    ASSERT_EQ(candidate.sent<VoteRequest>().size(), 2U);
    EXPECT_TRUE(candidate.sent<VoteRequest>()[0].pre_vote);
    EXPECT_FALSE(candidate.sent<VoteRequest>()[0].disrupt_leader);
}

TEST(Guards, WhoDoesNotKnowYetThatItVotesVotes) {
    const auto members = with(voting({2, 3}), {{1}, Membership::observer});
    const VoteRequest request{{3}, {2}, {9}, {2}, false, false};
    Driver unguarded({}, Guards::without(Guard::unaware_voter), members);
    unguarded.hear(2, request);
    EXPECT_FALSE(unguarded.sent<VoteResult>().at(0).granted);

    Driver promoted({}, {}, members);
    promoted.append(3, 2, 1, 1, {});
    promoted.hear(2, request);
    EXPECT_FALSE(promoted.sent<VoteResult>().at(0).granted) << "it has a leader";
    promoted.wait();
    EXPECT_EQ(promoted.core.leader(), ServerId{});
    promoted.hear(2, request);
    EXPECT_TRUE(promoted.sent<VoteResult>().at(0).granted);
    EXPECT_EQ(promoted.all<PersistHardState>().at(0).hard, (HardState{{3}, {2}}));
    EXPECT_EQ(promoted.core.configuration(), members);
    promoted.wait();
    EXPECT_TRUE(promoted.sent<VoteRequest>().empty()) << "it does not stand";
}

TEST(Guards, ALoneVoterRaisesItsTermEachTimeItLeads) {
    Driver lone({}, {}, voting({1}));
    EXPECT_EQ(lone.core.state(), State::leader);
    EXPECT_EQ(lone.core.term(), Epoch{2});
    lone.hear(7, VoteRequest{{5}, {7}, {}, {}, true, false});
    EXPECT_EQ(lone.core.state(), State::follower);
    lone.persist();
    lone.must(Persisted{1});
    lone.wait();
    EXPECT_EQ(lone.core.state(), State::leader);
    EXPECT_EQ(lone.core.term(), Epoch{6});
    EXPECT_EQ(lone.all<PersistHardState>().at(0).hard, (HardState{{6}, {1}}));
}

TEST(Guards, MessagesThatContradictThemselvesChangeNothing) {
    Driver leader({2});
    leader.lead();
    const Epoch term = leader.core.term();
    AppendRequest second{term, {1}, {1}, {1}, 0, {}};
    EXPECT_EQ(leader.refusal(Receive{.from = {2}, .message = second}), Errc::corrupt);
    EXPECT_EQ(leader.refusal(Receive{.from = {1}, .message = second}), Errc::corrupt);
    EXPECT_EQ(leader.refusal(Receive{.from = {}, .message = second}), Errc::corrupt);
    VoteRequest other{term.next(), {3}, {9}, {2}, false, false};
    EXPECT_EQ(leader.refusal(Receive{.from = {2}, .message = other}), Errc::corrupt);
    EXPECT_EQ(leader.core.state(), State::leader);
    leader.hear(9, AppendResult{term, {}, {100}, 0});  // Consent of a server that is not a member.
    EXPECT_LT(leader.core.commit(), Index{100});
}

}  // namespace
}  // namespace understudy::raft
