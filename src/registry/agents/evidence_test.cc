#include "registry/agents/evidence.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

/// Bar1 and Bar2 of Foo, in two processes.
class EvidenceAlone : public testing::Test {
protected:
    EvidenceAlone() {
        Turn turn = parts.turn();
        evidence.adopt(turn, "Foo", parts.join("Foo", "Bar1", 1));
        evidence.adopt(turn, "Foo", parts.join("Foo", "Bar2", 2));
        EXPECT_EQ(Parts::count<WatchProcess>(turn), 2u);
    }
    /// The member that the turn proposes to remove; empty: none.
    [[nodiscard]] static std::string removal_in(const Turn& turn) {
        return Parts::count<Propose>(turn) == 0 ? "" : Parts::proposed(turn).remove().member();
    }
    [[nodiscard]] Turn tick_after(Duration time) {
        parts.now += time;
        evidence.turn(parts.now);
        Turn turn = parts.turn();
        evidence.tick(turn);
        return turn;
    }

    Parts parts;
    Evidence evidence{parts.state, parts.sessions, parts.log, parts.now, 10s};
};

TEST_F(EvidenceAlone, ProofOfDeathIsProposedOnce) {
    Turn turn = parts.turn();
    EXPECT_TRUE(evidence.process_gone(turn, Incarnation{1}));
    const pb::RemoveMember remove = Parts::proposed(turn).remove();
    EXPECT_EQ(remove.member(), "Bar1");
    EXPECT_EQ(static_cast<role::Cause>(remove.cause()), role::Cause::process_gone);
    EXPECT_TRUE(std::get<Propose>(turn.out.back()).urgent) << "it leads to a promotion";

    parts.renew(turn);
    EXPECT_TRUE(evidence.process_gone(turn, Incarnation{1}));
    EXPECT_EQ(removal_in(turn), "") << "it is under way";
    EXPECT_FALSE(evidence.process_gone(turn, Incarnation{9}));
}

TEST_F(EvidenceAlone, ARefusedRemovalIsMadeAgainAfterAWhile) {
    Turn turn = parts.turn();
    evidence.process_gone(turn, Incarnation{1});
    const Proposal removal = parts.pending.take(std::get<Propose>(turn.out.back()).token);
    evidence.settled(removal);
    EXPECT_TRUE(evidence.refused(removal, parts.now));
    EXPECT_EQ(removal_in(tick_after(400ms)), "");
    evidence.heard(Incarnation{2}, parts.now);
    EXPECT_EQ(removal_in(tick_after(700ms)), "Bar1");
    EXPECT_FALSE(evidence.refused(removal, parts.now)) << "no news";
}

TEST_F(EvidenceAlone, SilenceLastsALease) {
    EXPECT_EQ(evidence.next_lapse(), parts.now + 1s);
    parts.now += 900ms;
    evidence.heard(Incarnation{2}, parts.now);
    EXPECT_EQ(removal_in(tick_after(0ms)), "");
    Turn turn = tick_after(200ms);
    const pb::RemoveMember remove = Parts::proposed(turn).remove();
    EXPECT_EQ(remove.member(), "Bar1");
    EXPECT_EQ(remove.evidence(), "no sign of life for 1100 ms");
    EXPECT_EQ(remove.noticed_us(), 1'100'000u);
}

TEST_F(EvidenceAlone, WhoIsNotConnectedIsASuspect) {
    parts.connect(2);
    const pb::RegistryCommand command =
        evidence.removal(parts.now, "Foo", *parts.state.find("Foo", "Bar2"), role::Cause::left, "");
    ASSERT_EQ(command.remove().suspects_size(), 1);
    EXPECT_EQ(command.remove().suspects(0), "Bar1");
}

TEST_F(EvidenceAlone, AMemberIsReplaceableOnceItsProcessIsGoneOrCannotBeProvenAlive) {
    const Member& member = *parts.state.find("Foo", "Bar1");
    EXPECT_EQ(evidence.replaceable(member).error().code, Errc::already_exists) << "it is watched";
    evidence.unprovable(Incarnation{1});
    EXPECT_TRUE(evidence.replaceable(member));
    parts.connect(1);
    EXPECT_FALSE(evidence.replaceable(member)) << "it is connected";
    Turn turn = parts.turn();
    evidence.process_gone(turn, Incarnation{1});
    EXPECT_EQ(*evidence.replaceable(member), "registered anew, the old process is gone");
}

TEST_F(EvidenceAlone, AProcessWithoutMembersIsForgotten) {
    Turn turn = parts.turn();
    evidence.adopt(turn, "Other", parts.join("Other", "Bar1", 1));
    EXPECT_EQ(evidence.members_of(Incarnation{1}), 2u);
    EXPECT_TRUE(evidence.removed(turn, "Foo", *parts.state.find("Foo", "Bar1")));
    EXPECT_EQ(Parts::count<ForgetProcess>(turn), 0u);
    EXPECT_FALSE(evidence.removed(turn, "Other", *parts.state.find("Other", "Bar1")));
    EXPECT_EQ(Parts::count<ForgetProcess>(turn), 1u);
    EXPECT_FALSE(evidence.knows(Incarnation{1}));
}

TEST_F(EvidenceAlone, OnlyARemovalThatPromotesIsUrgent) {
    const Service& service = *parts.state.find("Foo");
    EXPECT_EQ(Evidence::urgency(service, *service.find("Bar1")), Urgency::urgent);
    EXPECT_EQ(Evidence::urgency(service, *service.find("Bar2")), Urgency::usual);
    const Member& alone = parts.join("Other", "Bar1", 1);
    EXPECT_EQ(Evidence::urgency(*parts.state.find("Other"), alone), Urgency::usual);
}

}  // namespace
}  // namespace understudy::registry
