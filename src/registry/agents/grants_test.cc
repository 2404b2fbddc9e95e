#include "registry/agents/grants.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

class GrantsAlone : public testing::Test {
protected:
    Grant join(const std::string& member, std::uint64_t incarnation,
               Redundancy redundancy = Redundancy::fault_tolerant) {
        const Member& joined = parts.join("Foo", member, incarnation, redundancy);
        return grant_of(*parts.state.find("Foo"), joined);
    }

    Parts parts;
    Grants grants{parts.state, parts.sessions};
};

TEST_F(GrantsAlone, WhoIsNotConnectedIsToldNothing) {
    const Grant grant = join("Bar1", 1);
    Turn turn = parts.turn();
    grants.tell(turn, grant);
    EXPECT_TRUE(turn.out.empty());
    EXPECT_EQ(grants.unconfirmed("Foo"), "Bar1") << "it does not know";

    const SessionId id = parts.connect(1);
    grants.tell(turn, grant);

    const auto told = Parts::sent<pb::RoleGrant>(turn, id, MessageType::role_grant);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->role(), static_cast<std::uint32_t>(Role::active));
    EXPECT_EQ(told->epoch(), 1u);
    EXPECT_FALSE(told->has_designation());
    EXPECT_EQ(grants.unconfirmed("Foo"), "");
}

TEST_F(GrantsAlone, AStandbyHearsTheEpochOfTheService) {
    join("Bar1", 1);
    const Grant grant = join("Bar2", 2);
    const SessionId id = parts.connect(2);
    Turn turn = parts.turn();
    grants.confirm(turn,
                   {.kind = Proposal::Kind::add,
                    .session = id,
                    .request = 5,
                    .family = "Foo",
                    .member = "Bar2"},
                   grant);
    const auto answer = Parts::sent<pb::Registered>(turn, id, MessageType::registered);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->request(), 5u);
    EXPECT_EQ(answer->role(), static_cast<std::uint32_t>(Role::standby));
    EXPECT_EQ(answer->epoch(), 1u);
    EXPECT_EQ(grants.unconfirmed("Foo"), "Bar1") << "that a standby knows its role says nothing";
}

TEST_F(GrantsAlone, WithAJournalTheDesignationIsTheRoleThatIsTold) {
    const Grant grant = join("a", 1, Redundancy::journaled);
    EXPECT_EQ(grant.member.role, Role::joining);
    const SessionId id = parts.connect(1);
    Turn turn = parts.turn();
    grants.tell(turn, grant);
    const auto told = Parts::sent<pb::RoleGrant>(turn, id, MessageType::role_grant);
    EXPECT_EQ(told->role(), static_cast<std::uint32_t>(Role::active));
    EXPECT_TRUE(told->designation().electable());
    EXPECT_EQ(grants.unconfirmed("Foo"), "");
}

TEST_F(GrantsAlone, WhoIsRemovedHearsTheEpochThatItMustNotGoBelow) {
    const Grant grant = join("Bar1", 1);
    Turn turn = parts.turn();
    grants.revoke(turn, "Foo", grant.member);
    EXPECT_TRUE(turn.out.empty());
    const SessionId id = parts.connect(1);
    grants.revoke(turn, "Foo", grant.member);
    EXPECT_EQ(Parts::sent<pb::Revoked>(turn, id, MessageType::revoked)->epoch(), 1u);
}

}  // namespace
}  // namespace understudy::registry
