// Switchovers of a service with a journal: the messages of the registry, and which reports it
// believes.

#include "registry/tenure/journaled_stage_test.h"

namespace understudy::registry {
namespace {

/// Three copies: 0 is active in epoch 1, 1 is the checkpointer, and 2 is a standby.
class JournaledSwitchover : public testing::Test {
protected:
    JournaledSwitchover() { stage.last_resort = false; }

    void begin(std::uint32_t replicas = 3, bool last_resort = false) {
        stage.last_resort = last_resort;
        operator_session = stage.connect(100);
        stage.define(operator_session, replicas);
        for (std::uint32_t replica = 0; replica < replicas; ++replica) {
            sessions.push_back(stage.connect(replica + 1));
            stage.enter(sessions.back(), replica);
        }
        stage.report(sessions[0], 0, Role::active, 1, 50, true);
        for (std::uint32_t replica = 1; replica < replicas; ++replica) {
            stage.report(sessions[replica], replica, Role::standby, 1, 50);
        }
        stage.commit();
        stage.sent.clear();
    }
    void ask(const std::string& to = "") {
        pb::Ask question;
        question.set_request(request);
        question.mutable_switchover()->set_family("server");
        question.mutable_switchover()->set_to(to);
        stage.say(operator_session, MessageType::ask, question);
        stage.commit();
    }
    std::optional<pb::Answer> answer() {
        auto found = stage.last<pb::Answer>(operator_session, MessageType::answer);
        return found && found->request() == request ? found : std::nullopt;
    }
    std::optional<pb::Drain> drain(std::uint32_t replica) {
        return stage.last<pb::Drain>(sessions[replica], MessageType::drain);
    }
    void drained(std::uint32_t replica, std::uint64_t epoch = 1) {
        pb::Drained said;
        said.set_family("server");
        said.set_member(wire::replica_member(replica));
        said.set_epoch(epoch);
        stage.say(sessions[replica], MessageType::drained, said);
        stage.commit();
    }
    /// The copy reports that its journal has made it active.
    void active(std::uint32_t replica, std::uint64_t epoch) {
        stage.report(sessions[replica], replica, Role::active, epoch, 60, true);
        stage.commit();
    }
    [[nodiscard]] Role designated(std::uint32_t replica) const {
        return stage.state.find("server")->find(wire::replica_member(replica))->designation->role;
    }
    [[nodiscard]] std::string refusal() {
        const auto said = answer();
        return said && said->has_failure() ? said->failure().detail() : "";
    }
    [[nodiscard]] Errc code() { return static_cast<Errc>(answer()->failure().code()); }
    [[nodiscard]] const Service& service() const { return *stage.state.find("server"); }
    void leave(std::uint32_t replica) {
        pb::Unregister wanted;
        wanted.set_family("server");
        wanted.set_member(wire::replica_member(replica));
        stage.say(sessions[replica], MessageType::unregister_member, wanted);
        stage.commit();
    }

    JournaledStage stage;
    SessionId operator_session;
    std::vector<SessionId> sessions;
    std::uint64_t request = 7777;
};

TEST_F(JournaledSwitchover, TheSuccessorIsReadyBeforeTheActiveMemberDrains) {
    begin();
    ask();
    ASSERT_TRUE(drain(2)) << "the checkpointer is not asked";
    EXPECT_EQ(drain(2)->successor(), "replica-2");
    EXPECT_EQ(drain(2)->epoch(), 1u);
    EXPECT_FALSE(drain(0)) << "clients notice nothing yet";

    drained(2);

    ASSERT_TRUE(drain(0));
    EXPECT_EQ(drain(0)->successor(), "replica-2");
    EXPECT_EQ(designated(0), Role::active);
    drained(0);
    EXPECT_EQ(designated(2), Role::active);
    EXPECT_EQ(designated(0), Role::standby);
    EXPECT_EQ(designated(1), Role::checkpointer);
    EXPECT_EQ(stage.active(), "replica-0") << "until its journal says otherwise";
    EXPECT_FALSE(answer());
    EXPECT_EQ(
        role_of(stage.last<pb::RoleGrant>(sessions[2], MessageType::role_grant)->designation()),
        Role::active);

    active(2, 2);

    EXPECT_EQ(stage.active(), "replica-2");
    ASSERT_TRUE(answer());
    EXPECT_FALSE(answer()->has_failure());
    EXPECT_EQ(answer()->member(), "replica-2");
    EXPECT_EQ(answer()->epoch(), 2u);
}

TEST_F(JournaledSwitchover, TheStoryTellsItAndTheGiverIsTheLastInLine) {
    begin();
    ask("replica-2");
    drained(2);
    drained(0);
    stage.report(sessions[0], 0, Role::standby, 2, 60);  // It is the first to know.
    stage.commit();
    EXPECT_EQ(stage.active(), "");
    active(2, 2);

    const pb::Promotion& row = service().story.back();
    EXPECT_EQ(row.cause(), static_cast<std::uint32_t>(role::Cause::switchover));
    EXPECT_EQ(row.evidence(), "asked for");
    EXPECT_EQ(row.previous(), "replica-0");
    EXPECT_EQ(row.epoch(), 2u);
    EXPECT_EQ(service().line.rbegin()->second.name, "replica-0");
    EXPECT_EQ(service().promotions, 2u);
}

TEST_F(JournaledSwitchover, WhoGaveItsRoleAwayIsTheLastToGetItAgain) {
    begin(4);
    ask("replica-2");
    drained(2);
    drained(0);
    active(2, 2);
    leave(2);
    EXPECT_EQ(designated(3), Role::active) << "replica-0 started earlier, and is at the back";
}

TEST_F(JournaledSwitchover, OneThatIsBehindIsNotWaitedForByClients) {
    begin();
    stage.report(sessions[0], 0, Role::active, 1, 50'000, true);
    stage.pass(1100ms, sessions);
    ask();
    drained(2);
    EXPECT_FALSE(drain(0));
    stage.pass(1000ms, sessions);
    stage.report(sessions[2], 2, Role::standby, 1, 49'999);
    EXPECT_FALSE(drain(0));
    stage.pass(1100ms, sessions);
    EXPECT_EQ(code(), Errc::timed_out);
    EXPECT_EQ(refusal(),
              "replica-2 is 1 entry behind and did not catch up in time; replica-0 goes on");
    EXPECT_EQ(designated(0), Role::active);
}

TEST_F(JournaledSwitchover, OneThatCatchesUpIsTaken) {
    begin();
    stage.report(sessions[0], 0, Role::active, 1, 50'000, true);
    ask();
    drained(2);
    EXPECT_FALSE(drain(0));
    stage.report(sessions[2], 2, Role::standby, 1, 50'000);
    EXPECT_TRUE(drain(0));
}

TEST_F(JournaledSwitchover, WhoDoesNotAnswerIsNotWaitedForByClients) {
    begin();
    ask();
    stage.pass(2100ms, sessions);
    EXPECT_EQ(refusal(), "replica-2 did not answer in time; replica-0 goes on");
    EXPECT_FALSE(drain(0));
}

TEST_F(JournaledSwitchover, AnActiveMemberThatDoesNotDrainKeepsItsRole) {
    begin();
    ask();
    drained(2);
    stage.pass(2100ms, sessions);
    EXPECT_EQ(code(), Errc::timed_out);
    EXPECT_EQ(refusal(), "replica-0 did not drain in time; nothing changed");
    EXPECT_EQ(
        role_of(stage.last<pb::RoleGrant>(sessions[0], MessageType::role_grant)->designation()),
        Role::active)
        << "it hears that it goes on";
    drained(0);  // It comes too late.
    EXPECT_EQ(designated(0), Role::active);
}

TEST_F(JournaledSwitchover, ASuccessorThatDoesNotTakeTheRoleLosesItAgain) {
    begin();
    ask();
    drained(2);
    drained(0);
    stage.pass(2100ms, sessions);
    EXPECT_EQ(code(), Errc::timed_out);
    EXPECT_EQ(answer()->failure().effect(),
              static_cast<std::uint32_t>(understudy::Effect::unknown));
    EXPECT_EQ(refusal(), "replica-2 did not become active in time; replica-0 goes on");
    EXPECT_EQ(designated(0), Role::active);
    EXPECT_EQ(designated(2), Role::standby);

    active(2, 2);  // The journal has elected it nevertheless.
    EXPECT_EQ(stage.active(), "replica-2");
    EXPECT_EQ(service().story.back().cause(), static_cast<std::uint32_t>(role::Cause::elected));
}

TEST_F(JournaledSwitchover, ASuccessorThatDiesLeavesTheRoleWhereItIs) {
    begin();
    ask();
    drained(2);
    drained(0);
    leave(2);
    EXPECT_EQ(code(), Errc::unavailable);
    EXPECT_EQ(refusal(), "replica-2 ended during the switchover; replica-0 goes on");
    EXPECT_EQ(designated(0), Role::active);
    EXPECT_FALSE(service().election().switchover());
}

TEST_F(JournaledSwitchover, AnActiveMemberThatDiesMakesItAFailover) {
    begin();
    ask();
    drained(2);
    drained(0);
    leave(0);
    EXPECT_EQ(code(), Errc::refused);
    EXPECT_EQ(refusal(),
              "the active member, replica-0, ended during the switchover: that is a failover");
    EXPECT_EQ(designated(2), Role::active);
    active(2, 2);
    EXPECT_EQ(service().story.back().cause(), static_cast<std::uint32_t>(role::Cause::left));
}

TEST_F(JournaledSwitchover, AnotherThatIsQuickerMakesItAFailover) {
    begin(4);
    ask("replica-2");
    drained(2);
    drained(0);
    active(3, 2);
    EXPECT_EQ(refusal(), "a failover came before it: replica-3 is active");
    const pb::Promotion& row = service().story.back();
    EXPECT_EQ(row.cause(), static_cast<std::uint32_t>(role::Cause::elected));
    EXPECT_EQ(row.evidence(),
              "during a switchover to replica-2; replica-3 is active by its journal");
    EXPECT_EQ(designated(3), Role::active);
    EXPECT_EQ(designated(2), Role::standby);
}

TEST_F(JournaledSwitchover, OneThatTheJournalHasMadeActiveBeforehandIsAFailoverToo) {
    begin();
    ask("replica-2");
    drained(2);
    active(2, 2);
    EXPECT_EQ(refusal(), "a failover came before it: replica-2 is active");
    drained(0);
    EXPECT_EQ(stage.active(), "replica-2");
    EXPECT_FALSE(service().election().switchover());
}

TEST_F(JournaledSwitchover, WhatCannotBeIsRefusedAtOnce) {
    begin();
    ask("replica-0");
    EXPECT_EQ(refusal(), "replica-0 is active already");
    ask("replica-9");
    EXPECT_EQ(code(), Errc::not_found);
    ask("replica-1");
    EXPECT_EQ(refusal(), "replica-1 is the checkpointer, and last_resort = never");
    stage.take(stage.tenure->closed(stage.now, sessions[2]));
    ask("replica-2");
    EXPECT_EQ(refusal(), "replica-2 is not connected");
    ask();
    EXPECT_EQ(refusal(), "only the checkpointer is connected, and last_resort = never");
}

TEST_F(JournaledSwitchover, TwoAtATimeAreTooMany) {
    begin();
    ask();
    request = 7778;
    ask();
    EXPECT_EQ(refusal(), "a switchover of it is under way");
}

TEST_F(JournaledSwitchover, TheCheckpointerIsTakenAsALastResort) {
    begin(2, true);
    ask();
    drained(1);
    drained(0);
    EXPECT_EQ(designated(1), Role::active);
    active(1, 2);
    EXPECT_EQ(answer()->member(), "replica-1");
    EXPECT_TRUE(service().find("replica-0")->designation->takes_checkpoints);
}

TEST_F(JournaledSwitchover, WithoutAnybodyActiveThereIsNothingToGive) {
    begin();
    leave(0);
    ask();
    EXPECT_EQ(refusal(), "nobody is active");
}

TEST_F(JournaledSwitchover, NobodyElsesWordCounts) {
    begin();
    ask();
    drained(1);
    drained(2, 9);
    pb::Drained forged;
    forged.set_family("server");
    forged.set_member("replica-2");
    forged.set_epoch(1);
    stage.say(sessions[1], MessageType::drained, forged);
    drained(0);
    EXPECT_FALSE(drain(0));
    EXPECT_EQ(designated(0), Role::active);
}

TEST_F(JournaledSwitchover, ANewTenureOfTheRegistryEndsWhatItFinds) {
    begin();
    ask();
    drained(2);
    drained(0);
    ASSERT_TRUE(service().election().switchover());
    Buffer image;
    stage.state.snapshot(image);
    State other;
    ASSERT_TRUE(other.restore(image));
    other.check_invariants();
    Buffer again;
    other.snapshot(again);
    EXPECT_EQ(image, again);

    stage.restart();
    for (std::uint32_t replica = 0; replica < 3; ++replica) {
        sessions[replica] = stage.connect(replica + 1);
        stage.enter(sessions[replica], replica, replica == 0 ? 1 : 0);
    }
    EXPECT_EQ(designated(2), Role::active);
    stage.pass(2100ms, sessions);
    EXPECT_EQ(designated(0), Role::active) << "called off";
    EXPECT_FALSE(service().election().switchover());
    EXPECT_EQ(stage.active(), "replica-0");
}

TEST_F(JournaledSwitchover, ATenureThatEndsSaysWhatIsKnown) {
    begin();
    ask();
    drained(2);
    drained(0);
    stage.take(stage.tenure->retire(stage.now));
    EXPECT_EQ(code(), Errc::not_active);
    EXPECT_EQ(answer()->failure().effect(),
              static_cast<std::uint32_t>(understudy::Effect::unknown));
}

}  // namespace
}  // namespace understudy::registry
