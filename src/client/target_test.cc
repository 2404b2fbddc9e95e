#include "client/target.h"

#include <set>

#include <gtest/gtest.h>

namespace understudy::client {
namespace {

wire::pb::ServiceInfo service(Redundancy redundancy, int members, const char* active) {
    wire::pb::ServiceInfo info;
    info.mutable_config()->set_redundancy(static_cast<std::uint32_t>(redundancy));
    info.set_active(active);
    for (int i = 1; i <= members; ++i) {
        auto& member = *info.add_members();
        member.set_member("m" + std::to_string(i));
        member.mutable_endpoint()->set_host("h");
        member.mutable_endpoint()->set_port(static_cast<std::uint32_t>(7000 + i));
    }
    return info;
}

TEST(ChooseTarget, TheRegistrysWordComesFirst) {
    const auto info = service(Redundancy::fault_tolerant, 3, "m2");
    const auto target = choose_target({.service = &info, .failures = 5, .registry_up = true});
    ASSERT_TRUE(target);
    EXPECT_EQ(target->member, "m2");
    EXPECT_EQ(target->endpoint, (Address{"h", 7002}));
}

TEST(ChooseTarget, NobodyActiveMeansWaiting) {
    const auto info = service(Redundancy::fault_tolerant, 3, "");
    EXPECT_FALSE(choose_target({.service = &info, .registry_up = true}));
    EXPECT_FALSE(choose_target({.registry_up = true}));
}

// Without a registry every member is asked in turn, so that a redirect can be found.
TEST(ChooseTarget, WithoutARegistryAllMembersAreAskedInTurn) {
    const auto info = service(Redundancy::fault_tolerant, 3, "m1");
    std::set<std::string> asked;
    for (std::uint64_t failures = 1; failures <= 3; ++failures) {
        const auto target = choose_target({.service = &info, .failures = failures});
        ASSERT_TRUE(target) << failures;
        asked.insert(target->member);
    }
    EXPECT_EQ(asked.size(), 3u);
}

TEST(ChooseTarget, LoadBalancedClientsAreSpread) {
    const auto info = service(Redundancy::load_balanced, 3, "");
    std::set<std::string> chosen;
    for (std::uint64_t turn = 0; turn < 3; ++turn) {
        chosen.insert(choose_target({.service = &info, .turn = turn, .registry_up = true})->member);
    }
    EXPECT_EQ(chosen.size(), 3u);
}

TEST(ChooseTarget, ANamedMemberIsNeverReplacedByAnother) {
    const auto info = service(Redundancy::fault_tolerant, 3, "m1");
    EXPECT_EQ(choose_target({.service = &info, .member = "m3", .failures = 9})->member, "m3");
    EXPECT_FALSE(choose_target({.service = &info, .member = "m4"}));
}

}  // namespace
}  // namespace understudy::client
