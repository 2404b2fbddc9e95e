// Proxies: what a client sees during failovers (docs/protocols/roles.md).

#include <set>

#include <gtest/gtest.h>

#include "tests/scenario/stage.h"

namespace understudy::scenario {
namespace {

using Lines = std::vector<std::string>;

// A call that is under way when the active member dies has an unknown outcome and is not run twice.
TEST(I6Calls, InFlightAtADeathIsUnknownAndRunsOnce) {
    Stage stage;
    stage.start_registry();
    sim::Process& bar1 = stage.start_member("r", "Bar1");
    ASSERT_TRUE(stage.until([&] { return stage.active() == "Bar1"; }));
    sim::Process& bar2 = stage.start_member("n2", "Bar2");
    sim::Process& client = stage.start_client("c", "client");
    ClientApp& seen = client.app<ClientApp>();
    ASSERT_TRUE(stage.until([&] { return seen.mirror.in_sync() && stage.line().size() == 2; }));
    bar1.app<MemberApp>().hold_answers = true;
    seen.call(5s);
    ASSERT_TRUE(stage.until([&] { return bar1.app<MemberApp>().held.size() == 1; }));

    bar1.crash();
    ASSERT_TRUE(stage.until([&] { return seen.outcomes.size() == 1; }));

    ASSERT_FALSE(seen.outcomes[0]);
    EXPECT_EQ(seen.outcomes[0].error().effect, Effect::unknown);
    stage.world.run_for(2s);
    EXPECT_EQ(bar2.app<MemberApp>().calls, 0u);
}

// A call that is made while no member is active waits for the next one, within its deadline.
TEST(I6Calls, MadeDuringAFailoverIsAnsweredByTheNext) {
    Stage stage;
    stage.start_registry();
    sim::Process& bar1 = stage.start_member("n1", "Bar1");
    ASSERT_TRUE(stage.until([&] { return stage.active() == "Bar1"; }));
    stage.start_member("n2", "Bar2");
    sim::Process& client = stage.start_client("c", "client");
    ClientApp& seen = client.app<ClientApp>();
    ASSERT_TRUE(stage.until([&] { return seen.mirror.in_sync() && stage.line().size() == 2; }));
    bar1.crash();
    ASSERT_TRUE(stage.until([&] { return !seen.status.connected; }));

    // Its deadline is too short, so it was never sent, and the caller is told so.
    seen.call(100ms);
    seen.call(5s);
    ASSERT_TRUE(stage.until([&] { return seen.outcomes.size() == 2; }));

    ASSERT_FALSE(seen.outcomes[0]);
    EXPECT_EQ(seen.outcomes[0].error().code, Errc::timed_out);
    EXPECT_EQ(seen.outcomes[0].error().effect, Effect::none);
    ASSERT_TRUE(seen.outcomes[1]);
    EXPECT_EQ(as_text(*seen.outcomes[1]), "Bar2");
}

TEST(LoadBalanced, ClientsAreSpreadAndMoveWhenTheirMemberGoes) {
    Stage stage;
    stage.start_registry();
    std::vector<sim::Process*> members;
    for (const char* name : {"Bar1", "Bar2", "Bar3"}) {
        members.push_back(&stage.start_member(
            std::string("n") + name, {.member = name, .redundancy = Redundancy::load_balanced}));
        ASSERT_TRUE(stage.until([&] { return stage.line().size() == members.size(); }));
    }
    std::vector<sim::Process*> clients;
    for (const char* name : {"c1", "c2", "c3"}) clients.push_back(&stage.start_client(name, name));
    const auto all_in_sync = [&] {
        for (auto* client : clients) {
            if (!client->app<ClientApp>().mirror.in_sync()) return false;
        }
        return true;
    };
    ASSERT_TRUE(stage.until(all_in_sync));
    std::set<std::string> used;
    for (auto* client : clients) used.insert(client->app<ClientApp>().status.member);
    EXPECT_EQ(used.size(), 3u);

    members[1]->crash();
    ASSERT_TRUE(stage.until([&] { return stage.line().size() == 2; }));
    stage.world.run_for(1s);
    ASSERT_TRUE(stage.until(all_in_sync));
    for (auto* client : clients) EXPECT_NE(client->app<ClientApp>().status.member, "Bar2");
}

TEST(NamedMember, AProxyForOneMemberStaysWithIt) {
    Stage stage;
    stage.start_registry();
    sim::Process& bar1 = stage.start_member("r", "Bar1");
    ASSERT_TRUE(stage.until([&] { return stage.active() == "Bar1"; }));
    stage.start_member("n2", "Bar2");
    ASSERT_TRUE(stage.until([&] { return stage.line().size() == 2; }));
    sim::Process& client = stage.start_client("c", "client", "Bar2");
    ClientApp& seen = client.app<ClientApp>();
    ASSERT_TRUE(stage.until([&] { return seen.status.connected; }));
    EXPECT_EQ(seen.status.member, "Bar2");
    EXPECT_EQ(seen.status.role, Role::standby);

    bar1.crash();
    ASSERT_TRUE(stage.until([&] { return seen.mirror.in_sync(); }));
    EXPECT_EQ(seen.shown, Lines{"Bar2"});
}

// Members and client start before there is a registry.
TEST(StartOrder, AgentsMayStartBeforeTheirRegistry) {
    Stage stage;
    stage.start_member("n1", "Bar1");
    sim::Process& client = stage.start_client("c", "client");
    stage.world.run_for(5s);
    stage.start_registry();
    ASSERT_TRUE(stage.until([&] { return client.app<ClientApp>().mirror.in_sync(); }, 3s));
    EXPECT_EQ(client.app<ClientApp>().shown, Lines{"Bar1"});
}

}  // namespace
}  // namespace understudy::scenario
