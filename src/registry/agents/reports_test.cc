#include "registry/agents/reports.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

[[nodiscard]] pb::MemberReport says(const std::string& member, Role role, std::uint64_t epoch,
                                    std::uint64_t applied = 0) {
    pb::MemberReport report;
    report.set_family("server");
    report.set_member(member);
    report.set_role(static_cast<std::uint32_t>(role));
    report.set_epoch(epoch);
    report.set_applied(applied);
    report.set_detail(std::string(1000, 'x'));
    return report;
}

class ReportsAlone : public testing::Test {
protected:
    ReportsAlone() { parts.join("server", "a", 1, Redundancy::journaled); }

    Parts parts;
    Reports reports{parts.state};
};

TEST_F(ReportsAlone, OneProposalOfAMemberAtATime) {
    Turn turn = parts.turn();
    EXPECT_TRUE(reports.heard(turn, says("a", Role::active, 4)));
    EXPECT_TRUE(reports.heard(turn, says("a", Role::active, 6)));
    ASSERT_EQ(Parts::count<Propose>(turn), 1u);
    EXPECT_EQ(Parts::proposed(turn).report().epoch(), 4u);
    EXPECT_TRUE(std::get<Propose>(turn.out[0]).urgent);
    parts.report("server", "a", Role::active, 4);

    parts.renew(turn);
    reports.settled(turn, {.kind = Proposal::Kind::report, .family = "server", .member = "a"});

    EXPECT_EQ(Parts::proposed(turn).report().epoch(), 6u);
}

TEST_F(ReportsAlone, OneThatFoundNoRoomIsMadeAgain) {
    Turn turn = parts.turn();
    reports.heard(turn, says("a", Role::active, 4));
    reports.refused({.kind = Proposal::Kind::report, .family = "server", .member = "a"}, parts.now);
    parts.now += 499ms;
    parts.renew(turn);
    reports.tick(turn);
    reports.heard(turn, says("a", Role::active, 4));
    EXPECT_EQ(Parts::count<Propose>(turn), 0u);
    parts.now += 1ms;
    parts.renew(turn);
    reports.tick(turn);
    EXPECT_EQ(Parts::count<Propose>(turn), 1u);
}

TEST_F(ReportsAlone, PositionsAreNoProposals) {
    parts.report("server", "a", Role::active, 4);
    Turn turn = parts.turn();
    reports.heard(turn, says("a", Role::active, 4, 20));
    EXPECT_TRUE(turn.out.empty());
    EXPECT_EQ(reports.applied("server", "a"), 20u);
    EXPECT_EQ(reports.applied("server", "b"), std::nullopt);
    pb::LookupAnswer lookup;
    *lookup.add_services() = to_info(*parts.state.find("server"));
    reports.add_positions(parts.now + 30ms, lookup);
    const pb::MemberPosition& position = lookup.services(0).members(0).position();
    EXPECT_EQ(position.applied(), 20u);
    EXPECT_EQ(position.heard_ms(), 30u);
    EXPECT_EQ(position.detail().size(), Reports::detail_max);

    reports.forget("server", "a");
    EXPECT_EQ(reports.applied("server", "a"), std::nullopt);
}

TEST_F(ReportsAlone, WhatIsNoneIsIgnored) {
    Turn turn = parts.turn();
    EXPECT_FALSE(reports.heard(turn, says("a", static_cast<Role>(9), 4)));
    EXPECT_FALSE(reports.heard(turn, says("a", Role::active, std::uint64_t{1} << 62)));
    parts.join("Foo", "Bar", 2);
    pb::MemberReport other = says("Bar", Role::active, 4);
    other.set_family("Foo");
    EXPECT_FALSE(reports.heard(turn, other)) << "it has no journal";
    EXPECT_TRUE(turn.out.empty());
}

}  // namespace
}  // namespace understudy::registry
