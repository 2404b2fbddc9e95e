// A group as a whole, with a consensus that does what the test says.

#include "replicated/group/group.h"

#include <gtest/gtest.h>

#include "replicated/group/group_fixture_test.h"

namespace understudy::replicated {
namespace {

TEST_F(GroupTest, AStartRaisesTheTermDurablyBeforeTheConsensusRuns) {
    open();
    EXPECT_EQ(FakeCore::latest, nullptr);
    EXPECT_FALSE(opened);
    const auto state = decode_group_state(log.states[group_id]);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->hard.term, Epoch{2});
    durable();
    ASSERT_NE(FakeCore::latest, nullptr);
    EXPECT_TRUE(opened && *opened);
    EXPECT_EQ(hearer.heard, Words{"standby 0"});
    const auto& start = std::get<consensus::Start>(FakeCore::latest->events.at(0));
    EXPECT_EQ(start.recovered.hard.term, Epoch{2});
    EXPECT_EQ(start.recovered.entries.size(), 2u);
    EXPECT_FALSE(start.recovered.entries[0].body.bytes.empty());
}

TEST_F(GroupTest, ActiveOnlyWhenAnEntryOfTheOwnTermIsApplied) {
    lead();
    EXPECT_EQ(hearer.take(), (Words{"1 tenure", "2 mark", "3 tenure", "active 3"}));
}

TEST_F(GroupTest, MessagesWaitForTermAndVoteAndEntriesDoNot) {
    open();
    durable();
    FakeCore& core = *FakeCore::latest;
    core.scripted.push_back(
        {consensus::PersistHardState{.hard = {.term = {3}, .vote = b}},
         consensus::Send{.to = b, .message = consensus::VoteResult{.term = {3}, .granted = true}}});
    receive();
    core.scripted.push_back(
        {consensus::Send{.to = c, .message = consensus::VoteResult{.term = {3}}}});
    receive();
    EXPECT_TRUE(around.sent.empty()) << "nor what comes in a later step";
    durable();
    ASSERT_EQ(around.sent.size(), 2u);
    EXPECT_EQ(around.sent[0].to, b);

    core.scripted.push_back(
        {consensus::PersistEntries{
             .from = Index{3},
             .entries = {{.term = Epoch{3}, .kind = consensus::EntryKind::barrier, .body = {}}},
             .write = 1},
         consensus::Send{.to = b,
                         .message = consensus::AppendRequest{.term = {3},
                                                             .prev_index = {2},
                                                             .prev_term = {1},
                                                             .leader_commit = {},
                                                             .count = 1,
                                                             .entries = {}}},
         consensus::StateChanged{.state = consensus::State::leader, .term = {3}, .leader = self}});
    receive();
    EXPECT_EQ(around.sent.size(), 3u) << "before the own sync, and before the word that it leads";
}

TEST_F(GroupTest, DurableEntriesAreReportedOnceInOrder) {
    lead();
    append("x");
    append("y");
    const auto before = FakeCore::latest->count<consensus::Persisted>();
    durable();
    ASSERT_EQ(FakeCore::latest->count<consensus::Persisted>(), before + 1);
    durable();
    EXPECT_EQ(FakeCore::latest->count<consensus::Persisted>(), before + 1);
}

TEST_F(GroupTest, AnAnswerFollowsItsEntry) {
    lead();
    hearer.take();
    append("x");
    append("y");
    EXPECT_EQ(hearer.heard, Words{});
    commit(4);
    EXPECT_EQ(hearer.take(), (Words{"4 x", "answer x"}));
    commit(5);
    EXPECT_EQ(hearer.take(), (Words{"5 y", "answer y"}));
}

TEST_F(GroupTest, WithTheLeadThePendingOnesBecomeUnknownAndTheWaitingOnesDidNotHappen) {
    lead();
    hearer.take();
    for (const char* text : {"1", "2", "3", "4"}) append(text);
    append("waits for credit");
    FakeCore& core = *FakeCore::latest;
    core.state_now = consensus::State::follower;
    core.term_now = Epoch{4};
    core.scripted.push_back(
        {consensus::StateChanged{.state = consensus::State::follower, .term = {4}, .leader = b}});
    receive();
    EXPECT_EQ(hearer.take(), (Words{"standby 4", "answer 1 not_active?", "answer 2 not_active?",
                                    "answer 3 not_active?", "answer 4 not_active?",
                                    "answer waits for credit not_active"}));
    EXPECT_EQ(group->standing().active, "b");
    append("late");
    EXPECT_EQ(hearer.take(), Words{"answer late not_active"});
}

TEST_F(GroupTest, WhatTheConsensusDoesNotTakeNowIsProposedAgain) {
    lead();
    hearer.take();
    FakeCore& core = *FakeCore::latest;
    core.refuse = Error{.code = Errc::refused, .detail = "not now"};
    append("x");
    EXPECT_EQ(core.last_now, Index{3});
    core.refuse.reset();
    runtime.advance(100ms);
    EXPECT_EQ(core.last_now, Index{4});
    commit(4);
    EXPECT_EQ(hearer.take(), (Words{"4 x", "answer x"}));
}

TEST_F(GroupTest, AFullDiskRefusesOrdinaryEntriesAndTakesPromotions) {
    lead();
    hearer.take();
    around.identities.clear();  // No other member could take the lead.
    log.space_now = journal::Space::reserve_only;
    append("x");
    EXPECT_EQ(hearer.take(), Words{"answer x no_space"});
    EXPECT_EQ(refusal, "1 MiB free, 2 MiB wanted for a segment") << "the reason of the node's log";
    append("p", journal::Urgency::promotion);
    EXPECT_EQ(FakeCore::latest->last_now, Index{4});
    EXPECT_EQ(log.urgencies.back(), journal::Urgency::promotion);
    EXPECT_TRUE(is_urgent(log.logs[group_id].entries.back().kind));
}

TEST_F(GroupTest, TheEntryThatFindsTheDiskFullUsesTheReserveAndIsTheLast) {
    lead();
    hearer.take();
    around.identities.clear();  // No other member could take the lead.
    log.full = true;
    append("x");
    EXPECT_EQ(FakeCore::latest->last_now, Index{4});
    EXPECT_EQ(log.urgencies.back(), journal::Urgency::promotion);
    EXPECT_EQ(log.logs[group_id].entries.size(), 4U);
    append("y");
    EXPECT_EQ(FakeCore::latest->last_now, Index{4});
    EXPECT_EQ(hearer.take(), Words{"answer y no_space"});
    commit(4);
    EXPECT_EQ(hearer.take(), (Words{"4 x", "answer x"}));
}

TEST_F(GroupTest, ALeaderWithoutRoomMakesWayForOneAfterTheOtherMoreAndMoreRarely) {
    lead();
    FakeCore& core = *FakeCore::latest;
    const auto given_to = [&] {
        std::vector<ServerId> out;
        for (const consensus::Event& event : core.events) {
            if (const auto* transfer = std::get_if<consensus::Transfer>(&event)) {
                out.push_back(transfer->to);
            }
        }
        return out;
    };
    log.space_now = journal::Space::reserve_only;
    group->space_changed(log.space_now);
    runtime.settle();
    EXPECT_EQ(given_to(), (std::vector<ServerId>{b}));
    runtime.advance(1900ms);
    EXPECT_EQ(given_to().size(), 1U);
    runtime.advance(200ms);  // That member did not take the lead.
    EXPECT_EQ(given_to(), (std::vector<ServerId>{b, c}));
    runtime.advance(3800ms);
    EXPECT_EQ(given_to().size(), 2U);
    runtime.advance(300ms);
    EXPECT_EQ(given_to(), (std::vector<ServerId>{b, c, b}));

    log.space_now = journal::Space::ok;
    group->space_changed(log.space_now);
    runtime.advance(10min);
    EXPECT_EQ(given_to().size(), 3U);
    // The disk is full another time: the lead is transferred at once.
    log.space_now = journal::Space::reserve_only;
    group->space_changed(log.space_now);
    runtime.settle();
    EXPECT_EQ(given_to(), (std::vector<ServerId>{b, c, b, c}));
}

TEST_F(GroupTest, AFullDiskTakesOnlyUrgentEntriesFromALeader) {
    open();
    durable();
    const auto request = [&](bool urgent) {
        consensus::AppendRequest append{
            .term = {3},
            .prev_index = {2},
            .prev_term = {1},
            .leader_commit = {},
            .count = 1,
            .entries = {{.term = Epoch{3}, .kind = consensus::EntryKind::command, .body = {}}}};
        group->received(b, {.group = group_id, .message = append, .urgent = {urgent}});
    };
    log.space_now = journal::Space::reserve_only;
    request(false);
    EXPECT_EQ(FakeCore::latest->count<consensus::Receive>(), 0u);
    request(true);
    EXPECT_EQ(FakeCore::latest->count<consensus::Receive>(), 1u);
    log.space_now = journal::Space::ok;
    around.disk_is_congested = true;
    request(true);
    EXPECT_EQ(FakeCore::latest->count<consensus::Receive>(), 1u);
}

TEST_F(GroupTest, AWriteThatFailsEndsTheGroup) {
    lead();
    hearer.take();
    log.refuse = Error{.code = Errc::disk_failed, .detail = {}};
    append("x");
    EXPECT_EQ(hearer.take(), (Words{"answer x disk_failed?", "failed disk_failed"}));
    EXPECT_EQ(around.ends, 1);
    append("y");
    EXPECT_EQ(hearer.take(), Words{"answer y closed"});
}

TEST_F(GroupTest, AnEntryThatHasRottenWhenAFollowerNeedsItEndsTheGroup) {
    lead();
    hearer.take();
    log.cached_from = Index{3};
    FakeCore::latest->scripted.push_back(
        {consensus::Send{.to = b,
                         .message = consensus::AppendRequest{.term = {3},
                                                             .prev_index = {0},
                                                             .prev_term = {0},
                                                             .leader_commit = {},
                                                             .count = 3,
                                                             .entries = {}}}});
    receive();
    ASSERT_EQ(log.loading.size(), 1u);
    std::exchange(log.loading, {}).front().done(Error{.code = Errc::corrupt, .detail = {}});
    runtime.settle();
    EXPECT_EQ(hearer.take(), Words{"failed corrupt"});
    EXPECT_EQ(around.ends, 1);
}

TEST_F(GroupTest, EvidenceMakesTheFirstSurvivorStandAtOnce) {
    open();
    durable();
    FakeCore& core = *FakeCore::latest;
    core.configuration_now = members.configuration();
    core.last_now = Index{2};
    core.scripted.push_back(
        {consensus::StateChanged{.state = consensus::State::follower, .term = {3}, .leader = b}});
    core.commit_now = Index{2};
    receive();
    group->process_gone("c");
    EXPECT_EQ(core.count<consensus::Campaign>(), 0u) << "it does not lead";
    group->process_gone("b");
    EXPECT_EQ(core.count<consensus::Campaign>(), 1u);
}

TEST_F(GroupTest, AReplacedDiskIsListedInItsPlace) {
    lead();
    const Member again{"b", {"b", 1}, MemberKind::data};
    around.identities["b"] = 21;
    group->join(again, 21);
    runtime.settle();
    ASSERT_EQ(FakeCore::latest->last_now, Index{4});
    commit(4);
    runtime.advance(100ms);
    // The old server is removed first, because a dead server must not count for the majority.
    const consensus::Configuration* first = nullptr;
    for (const auto& event : FakeCore::latest->events) {
        const auto* propose = std::get_if<consensus::ProposeConfiguration>(&event);
        if (propose != nullptr && first == nullptr) first = &propose->configuration;
    }
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->servers.size(), 2u);
    EXPECT_EQ(consensus::find(*first, b), nullptr);
    group->join({"stranger", {"x", 1}, MemberKind::data}, 50);
    runtime.advance(100ms);
    EXPECT_EQ(FakeCore::latest->last_now, Index{4}) << "strangers wait to be added";
}

TEST_F(GroupTest, ItWaitsForAFounderThatNeverComesAsLongAsItTakes) {
    log.logs.clear();
    log.states.clear();
    founders = {{"a", {"a", 1}, MemberKind::data}, {"b", {"b", 1}, MemberKind::data}};
    open();
    runtime.advance(1min);
    EXPECT_EQ(group->status().founders_missing, Words{"b"});
    EXPECT_TRUE(hearer.take().empty());
}

TEST_F(GroupTest, WhoWasRemovedBeforeItAppliedAnythingKnowsThatItWasAMember) {
    open();
    durable();
    FakeCore::latest->configuration_now = members.configuration();
    group->founded({.group = group_id, .members = std::nullopt});
    EXPECT_TRUE(group->status().outside);
    EXPECT_TRUE(group->status().removed);
}

TEST_F(GroupTest, WhoWasNeverAddedWasNotRemoved) {
    open();
    durable();
    FakeCore::latest->configuration_now = members.without("a").configuration();
    group->founded({.group = group_id, .members = std::nullopt});
    EXPECT_TRUE(group->status().outside);
    EXPECT_FALSE(group->status().removed);
}

TEST_F(GroupTest, NobodyIsToldAnythingOnceItIsLetGo) {
    lead();
    hearer.take();
    append("x");
    group->give_up();
    runtime.advance(1s);
    EXPECT_EQ(hearer.take(), Words{});
    EXPECT_EQ(around.ends, 1);
}

}  // namespace
}  // namespace understudy::replicated
