#include "role/member_machine.h"

#include <gtest/gtest.h>

namespace understudy::role {
namespace {

const TimePoint start{1000s};

MemberMachine member(OnRegistryLoss policy = OnRegistryLoss::keep) {
    MemberMachine machine({.lease = 1s, .on_registry_loss = policy});
    machine.link_up();
    machine.renewed(start);
    return machine;
}

// I3: the first callback is the role decided at registration.
TEST(I3RoleOrder, FirstMemberHearsActiveOnly) {
    MemberMachine machine = member();
    const auto change = machine.granted(Role::active, Epoch{1});
    ASSERT_TRUE(change);
    EXPECT_EQ(change->role, Role::active);
    EXPECT_EQ(change->epoch, Epoch{1});
}

TEST(I3RoleOrder, StandbyIsHeardBeforeActive) {
    MemberMachine machine = member();
    EXPECT_EQ(machine.granted(Role::standby, Epoch{1})->role, Role::standby);
    EXPECT_EQ(machine.granted(Role::active, Epoch{2})->role, Role::active);
}

TEST(I3RoleOrder, TheSameWordTwiceIsToldOnce) {
    MemberMachine machine = member();
    ASSERT_TRUE(machine.granted(Role::active, Epoch{1}));
    EXPECT_FALSE(machine.granted(Role::active, Epoch{1}));
}

// I1: a grant that arrives after a newer epoch makes no member active.
TEST(I1Fencing, ALateGrantIsIgnored) {
    MemberMachine machine = member();
    ASSERT_TRUE(machine.granted(Role::standby, Epoch{3}));
    EXPECT_FALSE(machine.granted(Role::active, Epoch{2}));
    EXPECT_EQ(machine.role(), Role::standby);
}

TEST(I1Fencing, AHigherEpochFromAnyoneEndsTheRole) {
    MemberMachine machine = member();
    ASSERT_TRUE(machine.granted(Role::active, Epoch{1}));
    const auto change = machine.heard_epoch(Epoch{2});
    ASSERT_TRUE(change);
    EXPECT_EQ(change->role, Role::standby);
    EXPECT_FALSE(machine.may_act(start));
}

// I29: a process that was stopped resumes with a lapsed lease and a link that seems intact.
TEST(I29Pause, AResumedActiveDoesNotAnswerBeforeItHeardTheRegistry) {
    MemberMachine machine = member();
    ASSERT_TRUE(machine.granted(Role::active, Epoch{1}));
    EXPECT_TRUE(machine.may_act(start + 900ms));

    EXPECT_FALSE(machine.may_act(start + 5s));

    machine.renewed(start + 5s);
    EXPECT_TRUE(machine.may_act(start + 5s));
}

TEST(RegistryLoss, KeepGoesOnOnceTheLinkIsKnownLost) {
    MemberMachine machine = member(OnRegistryLoss::keep);
    ASSERT_TRUE(machine.granted(Role::active, Epoch{1}));
    machine.link_lost();
    EXPECT_TRUE(machine.may_act(start + 60s));
}

TEST(RegistryLoss, StepDownStopsWhenTheLeaseLapses) {
    MemberMachine machine = member(OnRegistryLoss::step_down);
    ASSERT_TRUE(machine.granted(Role::active, Epoch{1}));
    machine.link_lost();
    EXPECT_TRUE(machine.may_act(start + 900ms));
    EXPECT_FALSE(machine.may_act(start + 1s));
}

// A registry of several nodes that one member cannot reach still serves the others.
TEST(RegistryLoss, ByRegistryDependsOnHowManyNodesItHas) {
    MemberMachine machine = member(OnRegistryLoss::by_registry);
    ASSERT_TRUE(machine.granted(Role::active, Epoch{1}));
    machine.link_lost();
    EXPECT_TRUE(machine.may_act(start + 60s));
    EXPECT_FALSE(machine.steps_down_at());

    machine.set_registry_nodes(3);
    EXPECT_EQ(machine.on_registry_loss(), OnRegistryLoss::step_down);
    EXPECT_FALSE(machine.may_act(start + 60s));
    EXPECT_EQ(machine.steps_down_at(), start + 980ms);

    machine.set_registry_nodes(1);
    EXPECT_TRUE(machine.may_act(start + 60s));
}

// The application is told when the member steps down and when it has its role again.
TEST(RegistryLoss, SteppingDownIsToldAndSoIsComingBack) {
    MemberMachine machine = member(OnRegistryLoss::step_down);
    ASSERT_TRUE(machine.granted(Role::active, Epoch{1}));
    EXPECT_FALSE(machine.steps_down_at());  // The link is fine: the registry would have said.
    machine.link_lost();
    ASSERT_EQ(machine.steps_down_at(), start + 980ms);
    EXPECT_FALSE(machine.check_lease(start + 979ms));
    EXPECT_EQ(machine.check_lease(start + 980ms)->role, Role::standby);
    EXPECT_FALSE(machine.steps_down_at());

    machine.link_up();
    EXPECT_EQ(machine.granted(Role::active, Epoch{1})->role, Role::active);
}

// The holder counts from the sending, less a margin for drift, so it stops before the granter acts.
TEST(RegistryLoss, TheHolderGivesUpBeforeTheGranter) {
    MemberMachine machine = member(OnRegistryLoss::step_down);
    ASSERT_TRUE(machine.granted(Role::active, Epoch{1}));
    EXPECT_FALSE(machine.may_act(start + 980ms));
}

TEST(Revoked, AnActiveMemberHearsStandby) {
    MemberMachine machine = member();
    ASSERT_TRUE(machine.granted(Role::active, Epoch{1}));
    EXPECT_EQ(machine.revoked(Epoch{2})->role, Role::standby);
    EXPECT_FALSE(machine.revoked(Epoch{2}));
}

}  // namespace
}  // namespace understudy::role
