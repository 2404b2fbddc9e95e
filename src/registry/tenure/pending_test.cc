#include "registry/tenure/pending.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

TEST(Pending, WhatFindsNoRoomIsHandedBack) {
    Parts parts;
    for (std::size_t i = 0; i < Pending::size_max; ++i) {
        ASSERT_TRUE(parts.pending.add({.kind = Proposal::Kind::raise}));
    }
    Turn turn = parts.turn();
    turn.propose({.kind = Proposal::Kind::add, .member = "Bar"}, {}, Urgency::usual);
    EXPECT_TRUE(turn.out.empty());
    ASSERT_EQ(turn.crowded_out.size(), 1u);
    EXPECT_EQ(turn.crowded_out[0].member, "Bar");

    (void)parts.pending.take(1);
    turn.propose({.kind = Proposal::Kind::add}, {}, Urgency::usual);
    EXPECT_EQ(Parts::count<Propose>(turn), 1u);
}

TEST(Pending, AProposalIsSinceWhatHasLedToIt) {
    Parts parts;
    Turn turn = parts.turn();
    turn.propose({.kind = Proposal::Kind::report, .since = parts.now - 1s}, {}, Urgency::urgent);
    turn.propose({.kind = Proposal::Kind::remove}, {}, Urgency::usual);
    const auto& first = std::get<Propose>(turn.out[0]);
    const auto& second = std::get<Propose>(turn.out[1]);
    EXPECT_TRUE(first.urgent);
    EXPECT_FALSE(second.urgent);
    EXPECT_EQ(parts.pending.take(first.token).since, parts.now - 1s);
    EXPECT_EQ(parts.pending.take(second.token).since, parts.now);
    EXPECT_TRUE(parts.pending.all().empty());
}

TEST(Pending, OnlySomebodyWhoWaitsIsAnswered) {
    EXPECT_TRUE((Proposal{.kind = Proposal::Kind::define, .session = SessionId{1}}.is_asked()));
    EXPECT_FALSE((Proposal{.kind = Proposal::Kind::remove}.is_asked())) << "by evidence";
    EXPECT_FALSE((Proposal{.kind = Proposal::Kind::add, .session = SessionId{1}}.is_asked()))
        << "a member hears its role instead";
}

}  // namespace
}  // namespace understudy::registry
