#include "replicated/group/lead_transfer.h"

#include <gtest/gtest.h>

#include "replicated/group/part_fixture_test.h"

namespace understudy::replicated {
namespace {

class LeadTransferTest : public PartTest {
protected:
    LeadTransferTest() {
        core.configuration_now = members.configuration();
        core.matches = {{b, Index{5}}, {c, Index{5}}};
    }

    const TimePoint now = TimePoint{} + 1h;
    const GroupContext context = context_of(MemberKind::data);
    FakeCore core{consensus::ConsensusCore::Options{}};
    LeadTransfer transfer{context};
};

TEST_F(LeadTransferTest, AMemberThatCannotLeadIsRefused) {
    Members listed = members.with({.id = {9}, .member = {"w", {"w", 1}, MemberKind::witness}});
    listed = listed.with({.id = {8}, .member = {"new", {"new", 1}, MemberKind::data}});
    const auto newest = members.configuration();
    EXPECT_EQ(transfer.target("nobody", listed, newest).error().code, Errc::not_found);
    EXPECT_EQ(transfer.target("w", listed, newest).error().detail, "w is a witness");
    EXPECT_EQ(transfer.target("new", listed, newest).error().detail, "new does not vote yet");
    EXPECT_EQ(*transfer.target("b", listed, newest), b);
    EXPECT_EQ(*transfer.target("a", listed, newest), self);
}

TEST_F(LeadTransferTest, TheBestTargetHasTheMostEntriesAndIsConnected) {
    EXPECT_EQ(transfer.best_target(members, core), b) << "the first in joining order";
    core.matches[c] = Index{6};
    EXPECT_EQ(transfer.best_target(members, core), c);
    around.identities.erase("c");
    EXPECT_EQ(transfer.best_target(members, core), b);
    core.configuration_now = members.without("b").configuration();
    EXPECT_EQ(transfer.best_target(members, core), ServerId{}) << "it does not vote";
}

TEST_F(LeadTransferTest, ItEndsWhenThatMemberLeadsOrItsTimeIsOver) {
    EXPECT_FALSE(transfer.look(b, now));
    transfer.begin(b, nullptr, now);
    EXPECT_TRUE(transfer.under_way());
    EXPECT_TRUE(transfer.is_to(b));
    EXPECT_FALSE(transfer.look(c, now + 1ms));
    auto ended = transfer.look(b, now + 1ms);
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->result);
    EXPECT_FALSE(transfer.under_way());

    transfer.begin(b, nullptr, now);
    ended = transfer.look(c, now + 2 * context.node.election_timeout);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->result.error().code, Errc::timed_out);
    EXPECT_EQ(ended->result.error().effect, Effect::unknown);
}

TEST_F(LeadTransferTest, MembersThatMayHaveRoomAreTriedInTurnAndMoreRarely) {
    ASSERT_EQ(transfer.next_with_room(members, core, now), b);
    transfer.tries(b, now);
    EXPECT_FALSE(transfer.next_with_room(members, core, now + 1999ms));
    ASSERT_EQ(transfer.next_with_room(members, core, now + 2s), c);
    transfer.tries(c, now + 2s);
    EXPECT_FALSE(transfer.next_with_room(members, core, now + 5999ms));
    EXPECT_EQ(transfer.next_with_room(members, core, now + 6s), b);
    transfer.has_room();
    EXPECT_EQ(transfer.next_with_room(members, core, now + 2s), b) << "another time: at once";
    transfer.begin(b, nullptr, now);
    EXPECT_FALSE(transfer.next_with_room(members, core, now + 2s));
}

TEST_F(LeadTransferTest, ItCampaignsByItsPlaceUnlessSomebodyElseLeads) {
    const auto applied = members.configuration();
    const auto follower = consensus::State::follower;
    EXPECT_EQ(transfer.leader_gone(b, members, applied, now), 0u);
    EXPECT_EQ(transfer.campaign_at(), now);
    const Members behind = members.without("a").with(members.rows()[0]);
    EXPECT_EQ(transfer.leader_gone(b, behind, applied, now), 1u) << "c is before it";
    EXPECT_EQ(transfer.campaign_at(), now + context.node.succession_delay);
    EXPECT_FALSE(transfer.campaign_is_due(b, follower, now));
    EXPECT_TRUE(transfer.campaign_is_due(b, follower, transfer.campaign_at()));
    EXPECT_EQ(transfer.campaign_at(), TimePoint::max());

    transfer.campaign_refused(now + context.node.succession_delay);
    EXPECT_EQ(transfer.campaign_at(), now + context.node.succession_delay + 2ms);
    EXPECT_FALSE(transfer.campaign_is_due(c, follower, now + 1s)) << "c leads";
    transfer.campaign_refused(now + context.node.election_timeout);
    EXPECT_EQ(transfer.campaign_at(), TimePoint::max()) << "the election timeout comes first";

    transfer.leader_gone(b, members, applied, now);
    transfer.leader_known();
    EXPECT_FALSE(transfer.campaign_is_due({}, follower, now + 1s));
    EXPECT_FALSE(transfer.leader_gone(b, members.without("a"), applied, now));
}

TEST_F(LeadTransferTest, OnlyAnElectableMemberOrTheLastResortMayBeActive) {
    EXPECT_TRUE(transfer.may_be_active());
    const GroupContext checkpointer = context_of(MemberKind::checkpointer);
    LeadTransfer of_checkpointer(checkpointer);
    EXPECT_FALSE(of_checkpointer.may_be_active());
    of_checkpointer.set_last_resort(true);
    EXPECT_TRUE(of_checkpointer.may_be_active());
    const GroupContext witness = context_of(MemberKind::witness);
    LeadTransfer of_witness(witness);
    of_witness.set_last_resort(true);
    EXPECT_FALSE(of_witness.may_be_active());
}

}  // namespace
}  // namespace understudy::replicated
