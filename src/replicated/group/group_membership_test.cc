#include "replicated/group/group_membership.h"

#include <gtest/gtest.h>

#include "consensus/configuration.h"
#include "replicated/group/part_fixture_test.h"

namespace understudy::replicated {
namespace {

class GroupMembershipTest : public PartTest {
protected:
    using Effects = GroupMembership::Effects;

    GroupMembershipTest() {
        membership.apply(members);
        apply(members.configuration());
    }
    void apply(const consensus::Configuration& configuration) {
        core.configuration_now = configuration;
        membership.apply(configuration);
    }
    Result<void> add(const std::string& name) {
        GroupMembership::Done done = [this](const Result<void>&) { ++answers; };
        return membership.add({name, {name, 1}, MemberKind::data}, done, now);
    }
    Result<void> remove(const std::string& name) {
        GroupMembership::Done done = [this](const Result<void>&) { ++answers; };
        return membership.remove(name, done, now);
    }
    /// The list that is to be proposed.
    static Members listed_by(const Effects& effects) {
        const auto* list = std::get_if<GroupMembership::ProposeList>(&effects.step);
        if (list == nullptr) return {};
        return *Members::decode(list->list);
    }
    /// The next change of the configuration, in a word, and the server that it is about.
    [[nodiscard]] std::pair<std::string, ServerId> next_step() {
        const Effects effects = membership.reconcile(core);
        if (const auto* change =
                std::get_if<GroupMembership::ProposeConfiguration>(&effects.step)) {
            apply(change->configuration);
            return {std::string(change->what), {}};
        }
        if (const auto* catch_up = std::get_if<GroupMembership::CatchUp>(&effects.step)) {
            membership.catching_up(catch_up->server);
            return {"catch up", catch_up->server};
        }
        if (std::holds_alternative<GroupMembership::LeaveLead>(effects.step)) return {"leave", {}};
        return {effects.soon ? "wait" : "nothing", {}};
    }

    TimePoint now = TimePoint{} + 1h;
    const GroupContext context = context_of(MemberKind::data);
    const ServerId d = server_of(40, group_id);
    FakeCore core{consensus::ConsensusCore::Options{}};
    GroupMembership membership{context};
    int answers = 0;
};

TEST_F(GroupMembershipTest, ChangesThatCannotBeAreRefused) {
    EXPECT_EQ(add("").error().code, Errc::bad_config);
    EXPECT_EQ(remove("d").error().code, Errc::not_found);
    EXPECT_EQ(remove("a").error().code, Errc::refused) << "it leads";
    membership.apply(members.without("c"));
    EXPECT_EQ(remove("b").error().code, Errc::refused) << "only one would vote";
    for (std::size_t i = 0; i < GroupMembership::changes_max; ++i) {
        ASSERT_TRUE(add("d" + std::to_string(i)));
    }
    EXPECT_EQ(add("e").error().code, Errc::limit_exceeded);
}

TEST_F(GroupMembershipTest, AMemberIsListedWhenItIsReachedAndFinishedWhenItVotes) {
    ASSERT_TRUE(add("d"));
    Effects effects = membership.tend_changes(now);
    EXPECT_TRUE(effects.soon) << "it is not reached yet";
    EXPECT_TRUE(listed_by(effects).rows().empty());
    EXPECT_TRUE(membership.waits_for("d"));

    around.identities["d"] = 40;
    const Members list = listed_by(membership.tend_changes(now));
    ASSERT_NE(list.find("d"), nullptr);
    EXPECT_EQ(list.find("d")->id, d);
    EXPECT_EQ(listed_by(membership.tend_changes(now)), list) << "it was not taken: once more";
    membership.listed(Index{4});
    EXPECT_TRUE(listed_by(membership.tend_changes(now)).rows().empty()) << "it is on its way";
    membership.apply(list);
    membership.applied(Index{4});

    EXPECT_FALSE(membership.tend_changes(now).answer);
    EXPECT_EQ(next_step().first, "add");
    EXPECT_EQ(next_step(), (std::pair<std::string, ServerId>{"catch up", d}));
    core.catch_up_now = consensus::CatchUpState::running;
    EXPECT_EQ(next_step().first, "wait");
    EXPECT_FALSE(membership.tend_changes(now).answer);
    core.catch_up_now = consensus::CatchUpState::finished;
    EXPECT_EQ(next_step().first, "promote");
    EXPECT_EQ(next_step().first, "nothing");
    effects = membership.tend_changes(now);
    ASSERT_TRUE(effects.answer);
    EXPECT_TRUE(effects.answer->result);
    EXPECT_FALSE(effects.soon);
}

TEST_F(GroupMembershipTest, AnAddedMemberHasTimeToBeReachedAndThenToCatchUp) {
    ASSERT_TRUE(add("d"));
    Effects effects = membership.tend_changes(now + context.node.reach_timeout);
    ASSERT_TRUE(effects.answer);
    EXPECT_EQ(effects.answer->result.error().code, Errc::unavailable);
    EXPECT_EQ(effects.answer->result.error().effect, Effect::none);

    ASSERT_TRUE(add("d"));
    around.identities["d"] = 40;
    const TimePoint reached = now + context.node.reach_timeout - 1ms;
    const Members list = listed_by(membership.tend_changes(reached));
    membership.listed(Index{4});
    membership.apply(list);
    membership.applied(Index{4});
    const TimePoint end = reached + context.node.join_timeout;
    EXPECT_FALSE(membership.tend_changes(end - 1ms).answer);
    effects = membership.tend_changes(end);
    ASSERT_TRUE(effects.answer);
    EXPECT_EQ(effects.answer->result.error().effect, Effect::unknown) << "it goes on";
}

TEST_F(GroupMembershipTest, ARemovedMemberLeavesTheConfiguration) {
    ASSERT_TRUE(remove("c"));
    const Members list = listed_by(membership.tend_changes(now));
    EXPECT_EQ(list, members.without("c"));
    membership.listed(Index{4});
    membership.apply(list);
    membership.applied(Index{4});
    EXPECT_FALSE(membership.tend_changes(now).answer);
    EXPECT_EQ(next_step().first, "remove");
    EXPECT_EQ(consensus::find(membership.configuration(), c), nullptr);
    EXPECT_TRUE(membership.tend_changes(now).answer);
}

TEST_F(GroupMembershipTest, NoStepIsTakenBeforeTheLastOneIsApplied) {
    membership.apply(members.without("c"));
    core.configuration_now = members.without("b").configuration();
    EXPECT_EQ(next_step().first, "nothing");
}

TEST_F(GroupMembershipTest, ALeaderThatIsNoLongerListedLeavesTheLead) {
    membership.apply(members.without("a"));
    EXPECT_EQ(next_step().first, "leave");
}

TEST_F(GroupMembershipTest, ALostDiskIsReplacedAndAStrangerWaits) {
    const Member again{"b", {"b", 2}, MemberKind::data};
    EXPECT_EQ(membership.join(again, 20, now), GroupMembership::Join::nothing);
    EXPECT_EQ(membership.join({"d", {"d", 1}, MemberKind::data}, 40, now),
              GroupMembership::Join::stranger);
    EXPECT_EQ(membership.join(again, 21, now), GroupMembership::Join::replaced);
    EXPECT_EQ(membership.join(again, 21, now), GroupMembership::Join::nothing);
    around.identities["b"] = 21;
    const Members list = listed_by(membership.tend_changes(now));
    ASSERT_NE(list.find("b"), nullptr);
    EXPECT_EQ(list.find("b")->id, server_of(21, group_id));
    EXPECT_EQ(list.find("b")->member.address.port, 2);
}

TEST_F(GroupMembershipTest, WithTheLeadItsChangesEndAsFarAsTheyHaveCome) {
    ASSERT_TRUE(remove("c"));
    ASSERT_TRUE(add("d"));
    static_cast<void>(membership.tend_changes(now));
    membership.listed(Index{4});
    const auto lost = membership.lead_lost();
    ASSERT_EQ(lost.size(), 2u);
    EXPECT_EQ(lost[0].result.error().effect, Effect::unknown) << "it was listed";
    EXPECT_EQ(lost[1].result.error().effect, Effect::none);
    EXPECT_TRUE(membership.lead_lost().empty());
    membership.lead_won();
    EXPECT_EQ(next_step().first, "nothing");
}

}  // namespace
}  // namespace understudy::replicated
