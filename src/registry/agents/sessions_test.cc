#include "registry/agents/sessions.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

constexpr Incarnation agent_one{1};

TEST(Sessions, AnAgentWithMembersIsReachedOverItsNewestSession) {
    Parts parts;
    Sessions& sessions = parts.sessions;
    EXPECT_FALSE(sessions.connected(agent_one));
    const SessionId first = parts.connect(1);
    EXPECT_EQ(sessions.of(agent_one), first);

    Turn turn = parts.turn();
    sessions.opened(turn, SessionId{9}, Parts::hello(1));

    EXPECT_EQ(sessions.of(agent_one), SessionId{9});
    ASSERT_EQ(Parts::count<Close>(turn), 1u);
    EXPECT_EQ(std::get<Close>(turn.out[0]).session, first);
    EXPECT_EQ(sessions.closed(first), std::nullopt) << "it is reached all the same";
    EXPECT_EQ(sessions.closed(SessionId{9}), agent_one);
    EXPECT_FALSE(sessions.connected(agent_one));
    EXPECT_TRUE(sessions.knows(agent_one));
    sessions.check_invariants();
}

TEST(Sessions, TwoOfAnAgentWithoutMembersStandSideBySide) {
    Parts parts;
    Turn turn = parts.turn();
    parts.sessions.opened(turn, SessionId{1}, Parts::hello(1));
    parts.sessions.opened(turn, SessionId{2}, Parts::hello(1));
    EXPECT_TRUE(turn.out.empty());
    EXPECT_EQ(parts.sessions.all().size(), 2u);
    EXPECT_FALSE(parts.sessions.connected(agent_one));
}

TEST(Sessions, OneThatIsExpectedIsReachedWhenItComes) {
    Parts parts;
    parts.sessions.expect(agent_one);
    EXPECT_FALSE(parts.sessions.connected(agent_one));
    Turn turn = parts.turn();
    parts.sessions.opened(turn, SessionId{1}, Parts::hello(1));
    EXPECT_EQ(parts.sessions.of(agent_one), SessionId{1});
    parts.sessions.expect(agent_one);
    EXPECT_EQ(parts.sessions.of(agent_one), SessionId{1}) << "it stays connected";
}

TEST(Sessions, TheDeadAreCutOff) {
    Parts parts;
    const SessionId id = parts.connect(1);
    Turn turn = parts.turn();
    parts.sessions.cut(turn, agent_one);
    parts.sessions.cut(turn, agent_one);
    EXPECT_EQ(Parts::count<Close>(turn), 1u);
    EXPECT_FALSE(parts.sessions.connected(agent_one));
    EXPECT_NE(parts.sessions.find(id), nullptr) << "until it is closed";
}

TEST(Sessions, AreBounded) {
    Parts parts;
    Turn turn = parts.turn();
    for (std::uint64_t id = 1; id <= Sessions::size_max; ++id) {
        EXPECT_TRUE(parts.sessions.may_open());
        parts.sessions.opened(turn, SessionId{id}, Parts::hello(id));
    }
    EXPECT_EQ(parts.sessions.may_open().error().code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace understudy::registry
