#include "registry/tenure/journaled_stage_test.h"

namespace understudy::registry {
namespace {

using Stage = JournaledStage;

TEST(TenureJournaled, AReportThatFoundNoRoomIsOfferedAgain) {
    Stage stage;
    const SessionId session = stage.connect(1);
    stage.define(session, 1);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 4);
    stage.refuse(Errc::no_space);
    EXPECT_EQ(stage.active(), "");
    EXPECT_TRUE(stage.proposals.empty()) << "not at once";

    stage.pass(600ms, {session});

    EXPECT_EQ(stage.active(), "replica-0");
}

TEST(TenureJournaled, ReportsThatAreNoneChangeNothing) {
    Stage stage;
    const SessionId session = stage.connect(1);
    const SessionId other = stage.connect(2);
    stage.define(session, 2);
    stage.report(session, 0, Role::active, 4);  // Not registered yet.
    stage.enter(session, 0);
    stage.report(other, 0, Role::active, 4);  // Not its member.
    stage.report(session, 0, static_cast<Role>(9), 4);
    stage.report(session, 0, Role::active, std::uint64_t{1} << 62);
    EXPECT_TRUE(stage.proposals.empty());
    EXPECT_EQ(stage.active(), "");
}

TEST(TenureJournaled, MembersHearWhatTheyAreDesignated) {
    Stage stage;
    const SessionId zero = stage.connect(1);
    const SessionId one = stage.connect(2);
    stage.define(zero, 3);
    stage.enter(zero, 0);
    const auto registered = stage.last<pb::Registered>(zero, MessageType::registered);
    EXPECT_EQ(role_of(registered->designation()), Role::active);
    EXPECT_TRUE(registered->designation().takes_checkpoints());

    stage.enter(one, 1);

    EXPECT_EQ(role_of(stage.last<pb::Registered>(one, MessageType::registered)->designation()),
              Role::checkpointer);
    const auto grant = stage.last<pb::RoleGrant>(zero, MessageType::role_grant);
    ASSERT_TRUE(grant);
    EXPECT_EQ(role_of(grant->designation()), Role::active);
    EXPECT_FALSE(grant->designation().takes_checkpoints());
}

TEST(TenureJournaled, PositionsAreSeenInLookupsAndWrittenNowhere) {
    Stage stage;
    const SessionId session = stage.connect(1);
    stage.define(session, 1);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 1, 10, true);
    stage.commit();
    const Index before = stage.index;
    stage.report(session, 0, Role::active, 1, 20, true);
    EXPECT_TRUE(stage.proposals.empty());
    stage.pass(200ms, {session});

    const pb::MemberPosition position = stage.look_up(session).members(0).position();

    EXPECT_EQ(position.applied(), 20u);
    EXPECT_EQ(position.committed(), 21u);
    EXPECT_EQ(position.heard_ms(), 200u);
    EXPECT_EQ(position.detail().size(), Reports::detail_max);
    EXPECT_EQ(stage.index, before);
}

TEST(TenureJournaled, TheLastOfSeveralReportsCounts) {
    Stage stage;
    const SessionId session = stage.connect(1);
    stage.define(session, 1);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 4);
    stage.report(session, 0, Role::standby, 4);
    stage.report(session, 0, Role::active, 6);
    EXPECT_EQ(stage.proposals.size(), 1u) << "one at a time";
    stage.commit();
    EXPECT_EQ(stage.active(), "replica-0");
    EXPECT_EQ(stage.state.find("server")->epoch, Epoch{6});
}

TEST(TenureJournaled, AHungMemberStopsAndTheNextIsDesignated) {
    Stage stage;
    const SessionId zero = stage.connect(1);
    const SessionId one = stage.connect(2);
    const SessionId two = stage.connect(3);
    stage.define(zero, 3);
    stage.enter(zero, 0);
    stage.enter(one, 1);
    stage.enter(two, 2);
    stage.report(zero, 0, Role::active, 1, 5, true);
    stage.commit();

    stage.pass(1200ms, {one, two});

    EXPECT_EQ(stage.active(), "");
    EXPECT_EQ(role_of(stage.last<pb::RoleGrant>(two, MessageType::role_grant)->designation()),
              Role::active);
    EXPECT_TRUE(stage.last<pb::Revoked>(zero, MessageType::revoked));
    stage.report(two, 2, Role::active, 2);
    stage.commit();
    EXPECT_EQ(stage.active(), "replica-2");

    stage.enter(zero, 0, 1);
    EXPECT_EQ(stage.active(), "replica-2") << "its epoch is over";
}

TEST(TenureJournaled, AfterARestartTheActiveIsStillSoAndWritesNothingByComingBack) {
    Stage stage;
    SessionId session = stage.connect(1);
    stage.define(session, 1);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 4, 0, true);
    stage.commit();
    const Index before = stage.index;

    stage.restart();
    session = stage.connect(1);
    stage.enter(session, 0, 4);
    stage.report(session, 0, Role::active, 4, 0, true);
    stage.commit();

    EXPECT_EQ(stage.active(), "replica-0");
    EXPECT_EQ(stage.index, before);
}

TEST(TenureJournaled, ALastResortIsTakenWhenNobodyElseComes) {
    Stage stage;
    stage.last_resort = true;
    const SessionId session = stage.connect(1);
    stage.define(session, 2);
    stage.enter(session, 0);
    stage.report(session, 0, Role::active, 1, 0, true);
    stage.commit();
    pb::Unregister leave;
    leave.set_family("server");
    leave.set_member("replica-0");
    stage.say(session, MessageType::unregister_member, leave);
    stage.commit();
    stage.enter(session, 0);
    const auto designation = [&] {
        return stage.state.find("server")->find("replica-0")->designation->role;
    };
    EXPECT_EQ(designation(), Role::checkpointer);
    stage.pass(2900ms, {session});
    EXPECT_EQ(designation(), Role::checkpointer);
    stage.pass(300ms, {session});
    EXPECT_EQ(designation(), Role::active);
}

TEST(TenureJournaled, DefinitionsAreAnsweredWhenTheyAreDurable) {
    Stage stage;
    const SessionId session = stage.connect(1);
    pb::Ask question;
    question.set_request(99);
    pb::DefineAsk& define = *question.mutable_definition()->mutable_define();
    define.set_family("server");
    define.set_kind(1);
    define.set_journal(1);
    define.set_directory("relative");
    EXPECT_EQ(stage.ask(session, question).failure().code(),
              static_cast<std::uint32_t>(Errc::bad_config));
    define.set_directory("/logs");
    question.set_request(100);
    stage.say(session, MessageType::ask, question);
    EXPECT_NE(stage.last<pb::Answer>(session, MessageType::answer)->request(), 100u);
    stage.refuse(Errc::no_space);
    EXPECT_EQ(stage.last<pb::Answer>(session, MessageType::answer)->failure().code(),
              static_cast<std::uint32_t>(Errc::no_space));
    EXPECT_FALSE(stage.define(session, 3).has_failure());
    EXPECT_EQ(stage.look_up(session).definition().replicas_size(), 3);

    question.mutable_definition()->mutable_undefine()->set_family("server");
    EXPECT_FALSE(stage.ask(session, question).has_failure());
    EXPECT_EQ(stage.ask(session, question).failure().code(),
              static_cast<std::uint32_t>(Errc::not_found));
}

TEST(TenureJournaled, WhoDefinedWhileTheTenureEndedDoesNotKnow) {
    Stage stage;
    const SessionId session = stage.connect(1);
    pb::Ask question;
    question.set_request(100);
    pb::DefineAsk& define = *question.mutable_definition()->mutable_define();
    define.set_family("server");
    define.set_kind(1);
    define.set_journal(2);
    stage.say(session, MessageType::ask, question);
    stage.take(stage.tenure->retire(stage.now));
    const auto answer = stage.last<pb::Answer>(session, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->failure().code(), static_cast<std::uint32_t>(Errc::not_active));
    EXPECT_EQ(answer->failure().effect(), static_cast<std::uint32_t>(understudy::Effect::unknown));
}

TEST(TenureJournaled, WatchersHearOfDefinitionsAndOfTheirEnd) {
    Stage stage;
    const SessionId session = stage.connect(1);
    const SessionId watcher = stage.connect(2);
    pb::Watch watch;
    watch.set_watch(1);
    stage.say(watcher, MessageType::watch, watch);
    stage.define(session, 2);
    auto change = stage.last<pb::WatchChange>(watcher, MessageType::watch_change);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->definition().replicas_size(), 2);
    pb::Ask question;
    question.mutable_definition()->mutable_undefine()->set_family("server");
    stage.ask(session, question);
    change = stage.last<pb::WatchChange>(watcher, MessageType::watch_change);
    EXPECT_TRUE(change->removed());
    EXPECT_EQ(change->previous() + 1, change->revision());
}

}  // namespace
}  // namespace understudy::registry
