// A registry of three nodes: killed, cut off, hung, restarted one by one, replaced, while services
// go on and fail over (docs/protocols/roles.md, docs/operations/registry.md).

#include <gtest/gtest.h>

#include "tests/scenario/nodes_stage.h"

namespace understudy::scenario {
namespace {

using Lines = std::vector<std::string>;

struct Three {
    explicit Three(std::uint64_t seed = 1, const MemberPlan& plan = {.member = {}}) : stage(seed) {
        stage.start_registry();
        for (const char* name : {"Bar1", "Bar2", "Bar3"}) {
            members.push_back(&stage.start_member(name, plan));
            EXPECT_TRUE(stage.until([&] { return stage.line().size() == members.size(); }));
        }
        client = &stage.start_client("c");
        EXPECT_TRUE(stage.until([&] { return seen().mirror.in_sync(); }));
    }
    ClientApp& seen() { return client->app<ClientApp>(); }
    MemberApp& member(std::size_t i) { return members[i]->app<MemberApp>(); }
    /// True if all agents are registered with the node that serves.
    bool all_back() {
        return stage.until([&] {
            const std::string leading = stage.serving();
            if (leading.empty()) return false;
            for (auto* process : members) {
                if (process->alive() && !process->app<MemberApp>().agent->registry_up()) {
                    return false;
                }
            }
            return seen().agent->registry_up() &&
                   stage.node(leading).server->tenure()->sessions() >= 1;
        });
    }
    /// Checks what a failover of the registry must not change.
    void expect_undisturbed(std::size_t statuses) {
        EXPECT_EQ(stage.line(), (Lines{"Bar1", "Bar2", "Bar3"}));
        EXPECT_EQ(stage.active(), "Bar1");
        ASSERT_NE(stage.service(), nullptr);
        EXPECT_EQ(stage.service()->epoch, Epoch{1});
        EXPECT_EQ(member(0).heard, Lines{"active 1"});
        EXPECT_EQ(member(1).heard, Lines{"standby 1"});
        EXPECT_EQ(seen().statuses.size(), statuses);
        EXPECT_EQ(seen().shown, Lines{"Bar1"});
    }

    NodesStage stage;
    std::vector<sim::Process*> members;
    sim::Process* client;
};

// The active node dies. Order, epoch and active member do not change, no member is demoted, and no
// client loses its connection.
TEST(RegistryNodes, TheDeathOfTheLeadingOneChangesNothingThatRuns) {
    Three three;
    const std::size_t statuses = three.seen().statuses.size();
    for (int round = 0; round < 4; ++round) {
        const std::string leading = three.stage.serving();
        three.stage.process(leading).crash();
        ASSERT_TRUE(three.stage.until_served_without(leading)) << "round " << round;
        ASSERT_TRUE(three.all_back()) << "round " << round;
        three.stage.world.run_for(2s);
        three.stage.process(leading).restart();
        three.stage.world.run_for(2s);
    }
    three.expect_undisturbed(statuses);
}

// With the default for three nodes, an active member that loses the registry steps down when its
// lease ends. A failover of the registry is over before that.
TEST(RegistryNodes, AFailoverOfTheRegistryIsOverBeforeALeaseOfASecondLapses) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Three three(seed, {.member = {}, .on_registry_loss = OnRegistryLoss::by_registry});
        const std::size_t statuses = three.seen().statuses.size();
        const std::string leading = three.stage.serving();
        const TimePoint killed = three.stage.world.now();
        three.stage.process(leading).crash();
        ASSERT_TRUE(three.stage.until_served_without(leading)) << "seed " << seed;
        ASSERT_TRUE(three.all_back()) << "seed " << seed;
        EXPECT_LT(three.stage.world.now() - killed, 900ms) << "seed " << seed;
        three.stage.world.run_for(2s);
        three.expect_undisturbed(statuses);
    }
}

// If a member is cut off from every node, the default for a registry of three is to step down.
TEST(RegistryNodes, AMemberCutOffFromAllOfThemStepsDown) {
    Three three(1, {.member = {}, .on_registry_loss = OnRegistryLoss::by_registry});
    for (const char* node : {"r1", "r2", "r3"}) three.stage.world.cut("nBar1", node);
    ASSERT_TRUE(three.stage.until([&] { return three.stage.active() == "Bar2"; }));
    ASSERT_TRUE(three.stage.until([&] { return three.member(0).role() == Role::standby; }));
    ASSERT_TRUE(three.stage.until([&] { return three.seen().shown.back() == "Bar2"; }));
    EXPECT_EQ(three.stage.service()->epoch, Epoch{2});
}

// The active member and the active node die together: exactly one promotion follows.
TEST(RegistryNodes, AMemberThatDiesWithTheLeadingNodeIsReplacedOnce) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Three three(seed);
        const std::string leading = three.stage.serving();
        three.members[0]->crash();
        three.stage.world.run_for(std::chrono::milliseconds(seed - 1));
        three.stage.process(leading).crash();
        ASSERT_TRUE(three.stage.until([&] { return three.seen().shown.back() == "Bar2"; }))
            << "seed " << seed;
        ASSERT_TRUE(three.all_back()) << "seed " << seed;
        three.stage.world.run_for(3s);
        EXPECT_EQ(three.stage.active(), "Bar2") << "seed " << seed;
        EXPECT_EQ(three.stage.service()->epoch, Epoch{2}) << "seed " << seed;
        EXPECT_EQ(three.member(1).heard, (Lines{"standby 1", "active 2"})) << "seed " << seed;
    }
}

// The active node is cut off from the other two but not from the agents. It must close their
// connections.
TEST(RegistryNodes, ALeadingNodeWithoutAMajorityLetsItsAgentsGo) {
    Three three;
    const std::size_t statuses = three.seen().statuses.size();
    const std::string leading = three.stage.serving();
    for (const registry::Node& node : three.stage.founders) {
        if (node.name != leading) three.stage.world.cut(leading, node.name);
    }
    ASSERT_TRUE(three.stage.until_served_without(leading));
    ASSERT_TRUE(three.all_back());
    three.stage.world.run_for(2s);
    EXPECT_FALSE(three.stage.node(leading).server->serving());
    three.stage.world.heal_network();
    three.stage.world.run_for(3s);
    three.expect_undisturbed(statuses);
}

TEST(RegistryNodes, AHungLeadingNodeIsReplacedAndFindsItsPlaceAgain) {
    Three three;
    const std::size_t statuses = three.seen().statuses.size();
    const std::string leading = three.stage.serving();
    three.stage.process(leading).pause();
    ASSERT_TRUE(three.stage.until([&] {
        for (const registry::Node& node : three.stage.founders) {
            if (node.name != leading && three.stage.node(node.name).server->serving()) return true;
        }
        return false;
    }));
    three.stage.world.run_for(3s);
    three.stage.process(leading).resume();
    ASSERT_TRUE(three.stage.until_served_without(leading));
    ASSERT_TRUE(three.all_back());
    three.stage.world.run_for(3s);
    three.expect_undisturbed(statuses);
}

// Each node in turn is stopped in order and started again.
TEST(RegistryNodes, ARollingRestartLosesAndRepeatsNoRoleChange) {
    Three three(1, {.member = {}, .on_registry_loss = OnRegistryLoss::by_registry});
    const std::size_t statuses = three.seen().statuses.size();
    for (const registry::Node& node : three.stage.founders) {
        bool closed = false;
        three.stage.node(node.name).server->close([&] { closed = true; });
        ASSERT_TRUE(three.stage.until([&] { return closed; })) << node.name;
        three.stage.process(node.name).stop();
        ASSERT_TRUE(three.all_back()) << node.name;
        three.stage.process(node.name).restart();
        ASSERT_TRUE(three.stage.until([&] {
            if (three.stage.serving().empty()) return false;
            const auto info = three.stage.node(three.stage.serving()).server->journal().info();
            for (const auto& row : info.nodes()) {
                if (row.name() == node.name) return row.connected() && row.lag() == 0;
            }
            return false;
        })) << node.name;
    }
    three.stage.world.run_for(2s);
    three.expect_undisturbed(statuses);
    three.members[0]->crash();
    ASSERT_TRUE(three.stage.until([&] { return three.seen().shown.back() == "Bar2"; }));
    EXPECT_EQ(three.stage.service()->epoch, Epoch{2});
}

// An orderly stop first transfers the role, so no election has to be awaited.
TEST(RegistryNodes, AnOrderlyStopIsShorterThanAnElection) {
    Three three;
    const std::string leading = three.stage.serving();
    const TimePoint stopped = three.stage.world.now();
    three.stage.node(leading).server->close([] {});
    ASSERT_TRUE(three.stage.until_served_without(leading));
    ASSERT_TRUE(three.all_back());
    EXPECT_LT(three.stage.world.now() - stopped, 200ms);
}

TEST(RegistryNodes, AllKilledAndRestartedTheyKnowWhatTheyKnew) {
    Three three;
    const std::size_t statuses = three.seen().statuses.size();
    for (const registry::Node& node : three.stage.founders) three.stage.process(node.name).crash();
    three.stage.world.run_for(2s);
    for (const registry::Node& node : three.stage.founders) {
        three.stage.process(node.name).restart();
    }
    ASSERT_TRUE(three.stage.until([&] { return !three.stage.serving().empty(); }));
    ASSERT_TRUE(three.all_back());
    three.stage.world.run_for(3s);
    three.expect_undisturbed(statuses);
}

// Two of three nodes are gone: nothing can change, what runs goes on, and cached lookups are
// answered.
TEST(RegistryNodes, WithoutAMajorityCachedLookupsAreAnswered) {
    Three three;
    const std::string leading = three.stage.serving();
    std::string last;
    for (const registry::Node& node : three.stage.founders) {
        if (node.name != leading && last.empty()) {
            last = node.name;
            continue;
        }
        three.stage.process(node.name).crash();
    }
    three.stage.world.run_for(2s);
    std::optional<Result<wire::pb::LookupAnswer>> cached;
    std::optional<Result<wire::pb::LookupAnswer>> certain;
    three.seen().agent->look_up("Foo", true, 3s, [&](auto found) { cached = std::move(found); });
    three.seen().agent->look_up("Foo", false, 3s, [&](auto found) { certain = std::move(found); });

    ASSERT_TRUE(three.stage.until([&] { return cached && certain; }));
    ASSERT_TRUE(*cached) << to_string(cached->error());
    EXPECT_EQ((*cached)->services(0).active(), "Bar1");
    EXPECT_EQ((*cached)->node(), last);
    EXPECT_GE((*cached)->age_ms(), 500u);
    EXPECT_GT((*cached)->revision(), 0u);
    EXPECT_FALSE(*certain);
    three.member(0).publish(7);
    ASSERT_TRUE(three.stage.until([&] { return three.seen().mirror.image().integer("n") == 7; }));
}

TEST(RegistryNodes, ALookupSeesAllThatWasAcknowledgedBefore) {
    Three three;
    std::optional<Result<wire::pb::LookupAnswer>> found;
    three.members[0]->crash();
    ASSERT_TRUE(three.stage.until([&] { return three.seen().shown.back() == "Bar2"; }));
    three.seen().agent->look_up("Foo", false, 3s, [&](auto answer) { found = std::move(answer); });
    ASSERT_TRUE(three.stage.until([&] { return found.has_value(); }));
    ASSERT_TRUE(*found);
    EXPECT_EQ((*found)->services(0).active(), "Bar2");
    EXPECT_EQ((*found)->age_ms(), 0u);
}

// A lookup that is under way when the active node dies is sent again to the next one.
TEST(RegistryNodes, ALookupUnderWayDuringAFailoverIsAnswered) {
    Three three;
    std::optional<Result<wire::pb::LookupAnswer>> found;
    const std::string leading = three.stage.serving();
    three.stage.world.isolate(leading);
    three.seen().agent->look_up("Foo", false, 10s, [&](auto answer) { found = std::move(answer); });
    ASSERT_TRUE(three.stage.until([&] { return found.has_value(); }));
    ASSERT_TRUE(*found) << to_string(found->error());
    EXPECT_EQ((*found)->services(0).active(), "Bar1");
    EXPECT_NE((*found)->node(), leading);
}

/// Asks the registry to change its nodes; the answer is in `answer`.
void change_nodes(Three& three, const std::function<void(wire::pb::NodesAsk&)>& fill,
                  std::optional<Result<wire::pb::Answer>>& answer) {
    wire::pb::Ask ask;
    fill(*ask.mutable_nodes());
    answer.reset();
    three.seen().agent->ask(std::move(ask), 60s, [&](auto said) { answer = std::move(said); });
}

TEST(RegistryNodes, ANodeIsAddedAndAnotherTakenOut) {
    Three three;
    const std::size_t statuses = three.seen().statuses.size();
    std::optional<Result<wire::pb::Answer>> answer;
    (void)three.stage.start_node("r4");
    ASSERT_TRUE(three.stage.until([&] { return three.stage.node("r4").opened; }));
    change_nodes(
        three,
        [](wire::pb::NodesAsk& change) {
            change.mutable_add()->set_name("r4");
            change.mutable_add()->mutable_endpoint()->set_host("r4");
            change.mutable_add()->mutable_endpoint()->set_port(22222);
        },
        answer);
    ASSERT_TRUE(three.stage.until([&] { return answer.has_value(); }, 60s));
    ASSERT_TRUE(*answer) << to_string(answer->error());
    ASSERT_EQ(three.stage.node("r4").server->state().revision(), three.stage.state().revision());

    const std::string gone = three.stage.serving() == "r1" ? "r2" : "r1";
    change_nodes(
        three, [&](wire::pb::NodesAsk& change) { change.mutable_remove()->set_name(gone); },
        answer);
    ASSERT_TRUE(three.stage.until([&] { return answer.has_value(); }, 60s));
    ASSERT_TRUE(*answer) << to_string(answer->error());
    three.stage.process(gone).stop();

    // Agents that were configured with the old addresses find the new node.
    for (const registry::Node& node : three.stage.founders) {
        if (node.name == gone || node.name == three.stage.serving()) continue;
        three.stage.process(node.name).crash();
        three.stage.world.run_for(1s);
        three.stage.process(node.name).restart();
        break;
    }
    change_nodes(
        three, [](wire::pb::NodesAsk& change) { change.mutable_transfer()->set_to("r4"); }, answer);
    ASSERT_TRUE(three.stage.until([&] { return three.stage.serving() == "r4"; }));
    ASSERT_TRUE(three.all_back());
    three.stage.world.run_for(2s);
    three.expect_undisturbed(statuses);
}

// A node returns with an empty disk: for the group it is another server, and it is added again.
TEST(RegistryNodes, ANodeWithAnEmptyDiskIsReplaced) {
    Three three;
    const std::size_t statuses = three.seen().statuses.size();
    std::optional<Result<wire::pb::Answer>> answer;
    const std::string lost = three.stage.serving() == "r3" ? "r2" : "r3";
    three.stage.process(lost).crash();
    three.stage.directories[lost] = "/new";
    three.stage.process(lost).restart();
    ASSERT_TRUE(three.stage.until([&] { return three.stage.node(lost).opened; }));
    change_nodes(
        three,
        [&](wire::pb::NodesAsk& change) {
            change.mutable_add()->set_name(lost);
            change.mutable_add()->mutable_endpoint()->set_host(lost);
            change.mutable_add()->mutable_endpoint()->set_port(22222);
        },
        answer);
    ASSERT_TRUE(three.stage.until([&] { return answer.has_value(); }, 60s));
    ASSERT_TRUE(*answer) << to_string(answer->error());
    ASSERT_TRUE(three.stage.until([&] {
        return !three.stage.serving().empty() &&
               three.stage.node(lost).server->state().revision() == three.stage.state().revision();
    }));
    // It counts, so the node that leads may go.
    const std::string leading = three.stage.serving();
    three.stage.process(leading).crash();
    ASSERT_TRUE(three.stage.until_served_without(leading));
    ASSERT_TRUE(three.all_back());
    three.expect_undisturbed(statuses);
}

// The same without a person's help, in a registry where nothing else happens.
TEST(RegistryNodes, ANodeWithAnEmptyDiskIsTakenInByItself) {
    NodesStage stage;
    stage.start_registry();
    const std::string lost = stage.serving() == "r3" ? "r2" : "r3";
    stage.process(lost).crash();
    stage.directories[lost] = "/new";
    stage.world.run_for(2s);
    stage.process(lost).restart();
    ASSERT_TRUE(stage.until([&] {
        const auto info = stage.node(stage.serving()).server->journal().info();
        for (const auto& row : info.nodes()) {
            const bool counts = row.role() != static_cast<std::uint32_t>(Role::joining);
            if (row.name() == lost) return counts && row.connected() && row.lag() == 0;
        }
        return false;
    }));
    const std::string leading = stage.serving();
    stage.process(leading).crash();
    ASSERT_TRUE(stage.until_served_without(leading));
}

// The address that an agent was given is gone for good; the addresses that it has learned are
// enough.
TEST(RegistryNodes, AnAgentKeepsTheAddressesItHasLearned) {
    NodesStage stage;
    stage.start_registry();
    const std::string leading = stage.serving();
    MemberPlan plan{.member = "Bar1", .registry = {{leading, 22222}}};
    sim::Process& member =
        stage.world.add_node("m").start("Bar1", [plan](Runtime& runtime, Log& log) {
            return std::make_unique<MemberApp>(runtime, log, "m", plan);
        });
    ASSERT_TRUE(stage.until([&] { return stage.active() == "Bar1"; }));

    stage.process(leading).crash();

    ASSERT_TRUE(stage.until_served_without(leading));
    ASSERT_TRUE(stage.until([&] { return member.app<MemberApp>().agent->registry_up(); }));
    EXPECT_EQ(stage.active(), "Bar1");
}

// The first node that is asked redirects an agent at once: without a pause, whatever the order of
// the addresses.
TEST(RegistryNodes, AnAgentFindsTheActiveNodeAtOnce) {
    NodesStage stage;
    stage.start_registry();
    stage.world.run_for(1s);
    for (const registry::Node& first : stage.founders) {
        MemberPlan plan{.member = "Via" + first.name,
                        .family = "Via" + first.name,
                        .registry = {first.address}};
        const TimePoint started = stage.world.now();
        sim::Process& member =
            stage.world.add_node("m" + first.name)
                .start(plan.member, [plan, first_name = first.name](Runtime& runtime, Log& log) {
                    return std::make_unique<MemberApp>(runtime, log, "m" + first_name, plan);
                });
        ASSERT_TRUE(stage.until([&] { return !member.app<MemberApp>().heard.empty(); }));
        EXPECT_LT(stage.world.now() - started, 50ms) << "by " << first.name;
    }
}

}  // namespace
}  // namespace understudy::scenario
