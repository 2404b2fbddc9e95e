#include "registry/tenure/switchovers.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

constexpr SessionId asker{99};

/// Members a and b of Foo, both connected; a is active in epoch 1.
class SwitchoversAlone : public testing::TestWithParam<Redundancy> {
protected:
    SwitchoversAlone() {
        parts.join("Foo", "a", 1, GetParam(), true);
        parts.join("Foo", "b", 2, GetParam(), true);
        if (journaled()) parts.report("Foo", "a", Role::active, 1);
        one = parts.connect(1);
        two = parts.connect(2);
    }

    [[nodiscard]] static bool journaled() { return GetParam() == Redundancy::journaled; }
    [[nodiscard]] Result<void> ask(const std::string& to = {}) {
        pb::SwitchoverAsk wanted;
        wanted.set_family("Foo");
        wanted.set_to(to);
        return switchovers.ask(turn, asker, 5, wanted);
    }
    void ready(SessionId from, const std::string& member) {
        pb::Drained drained;
        drained.set_family("Foo");
        drained.set_member(member);
        drained.set_epoch(1);
        switchovers.ready(turn, from, drained);
    }
    /// The successor is ready, and as far as the active member.
    void catch_up() {
        if (!journaled()) return;
        for (const char* member : {"a", "b"}) {
            pb::MemberReport report;
            report.set_family("Foo");
            report.set_member(member);
            report.set_role(
                static_cast<std::uint32_t>(member[0] == 'a' ? Role::active : Role::standby));
            report.set_epoch(1);
            report.set_applied(10);
            reports.heard(turn, report);
        }
        ready(two, "b");
    }
    void settle(Proposal::Kind kind) { switchovers.settled(turn, {.kind = kind, .family = "Foo"}); }
    [[nodiscard]] std::optional<pb::Answer> answer() {
        return Parts::sent<pb::Answer>(turn, asker, MessageType::answer);
    }
    [[nodiscard]] bool asked_to_let_go() {
        return Parts::sent<pb::Drain>(turn, one, MessageType::drain).has_value();
    }
    void pass(Duration time) {
        parts.now += time;
        turn.now = parts.now;
        switchovers.tick(turn);
    }

    Parts parts;
    Reports reports{parts.state};
    Grants grants{parts.state, parts.sessions};
    Switchovers switchovers{{}, parts.state, parts.sessions, reports, grants};
    Turn turn = parts.turn();
    SessionId one;
    SessionId two;
};

TEST_P(SwitchoversAlone, IsAnsweredWhenTheSuccessorIsActive) {
    ASSERT_TRUE(ask());
    EXPECT_EQ(asked_to_let_go(), !journaled()) << "with a journal the successor catches up first";
    EXPECT_EQ(Parts::sent<pb::Drain>(turn, two, MessageType::drain).has_value(), journaled());
    catch_up();
    EXPECT_TRUE(asked_to_let_go());
    ready(one, "a");
    const pb::RegistryCommand command = Parts::proposed(turn);
    EXPECT_EQ(command.switchover().to(), "b");
    EXPECT_FALSE(parts.apply(command).error);
    settle(Proposal::Kind::switchover);
    if (journaled()) {
        EXPECT_FALSE(answer()) << "the journal has not decided yet";
        parts.report("Foo", "b", Role::active, 2);
        settle(Proposal::Kind::report);
    }
    ASSERT_TRUE(answer());
    EXPECT_FALSE(answer()->has_failure());
    EXPECT_EQ(answer()->member(), "b");
    EXPECT_EQ(answer()->epoch(), 2u);
    EXPECT_TRUE(ask()) << "the next one may begin";
}

TEST_P(SwitchoversAlone, OneAtATime) {
    ASSERT_TRUE(ask());
    EXPECT_EQ(ask().error().detail, "a switchover of it is under way");
}

TEST_P(SwitchoversAlone, AnActiveMemberThatDoesNotLetGoGoesOn) {
    ASSERT_TRUE(ask());
    catch_up();
    pass(1999ms);
    EXPECT_FALSE(answer());
    pass(1ms);
    ASSERT_TRUE(answer());
    EXPECT_EQ(answer()->failure().detail(), "a did not drain in time; nothing changed");
    EXPECT_EQ(answer()->failure().effect(), 0u);
    EXPECT_TRUE(Parts::sent<pb::RoleGrant>(turn, one, MessageType::role_grant)) << "it goes on";
    for (const auto& [token, proposal] : parts.pending.all()) {
        EXPECT_NE(proposal.kind, Proposal::Kind::switchover);
    }
}

TEST_P(SwitchoversAlone, WhoseSuccessorEndsIsOver) {
    ASSERT_TRUE(ask());
    pb::RegistryCommand remove;
    remove.mutable_remove()->set_family("Foo");
    remove.mutable_remove()->set_member("b");
    remove.mutable_remove()->set_incarnation(2);
    (void)parts.apply(remove);
    settle(Proposal::Kind::remove);
    ASSERT_TRUE(answer());
    EXPECT_EQ(answer()->failure().detail(), "b ended during the switchover; a goes on");
}

TEST_P(SwitchoversAlone, NobodyElsesWordCounts) {
    ASSERT_TRUE(ask());
    catch_up();
    turn.out.clear();
    ready(two, "a");
    EXPECT_TRUE(turn.out.empty());
}

TEST_P(SwitchoversAlone, WhatIsKnownAtTheEndOfTheTenureIsSaid) {
    ASSERT_TRUE(ask());
    switchovers.retire(turn, {.code = Errc::not_active});
    EXPECT_EQ(answer()->failure().effect(), 0u) << "nothing was proposed";
    catch_up();
    ready(one, "a");
    switchovers.retire(turn, {.code = Errc::not_active});
    EXPECT_EQ(answer()->failure().effect(), 1u);
}

TEST_P(SwitchoversAlone, ARefusedCommandIsTheAnswer) {
    ASSERT_TRUE(ask());
    switchovers.refused(turn, {.kind = Proposal::Kind::switchover, .family = "Foo"},
                        {.code = Errc::no_space});
    EXPECT_EQ(answer()->failure().code(), static_cast<std::uint32_t>(Errc::no_space));
    EXPECT_TRUE(ask());
}

TEST_P(SwitchoversAlone, WhatCannotBeIsRefusedAtOnce) {
    EXPECT_EQ(ask("c").error().detail, "no member c");
    EXPECT_EQ(ask("a").error().detail, "a is active already");
    (void)parts.sessions.closed(two);
    EXPECT_EQ(ask("b").error().detail, "b is not connected");
    EXPECT_EQ(ask().error().detail, "no standby is connected");
}

INSTANTIATE_TEST_SUITE_P(Both, SwitchoversAlone,
                         testing::Values(Redundancy::fault_tolerant, Redundancy::journaled),
                         [](const auto& each) { return std::string(name(each.param)); });

TEST(Switchovers, WhereAllAreActiveThereIsNothingToSwitch) {
    Parts parts;
    parts.join("Foo", "a", 1, Redundancy::load_balanced);
    Reports reports(parts.state);
    Grants grants(parts.state, parts.sessions);
    Switchovers switchovers({}, parts.state, parts.sessions, reports, grants);
    Turn turn = parts.turn();
    pb::SwitchoverAsk wanted;
    wanted.set_family("Foo");
    EXPECT_EQ(switchovers.ask(turn, asker, 5, wanted).error().detail,
              "Foo is load_balanced: all are active");
    wanted.set_family("Nobody");
    EXPECT_EQ(switchovers.ask(turn, asker, 5, wanted).error().code, Errc::not_found);
}

}  // namespace
}  // namespace understudy::registry
