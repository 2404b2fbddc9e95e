#include "sim/faults.h"

#include <string>

#include <gtest/gtest.h>

#include "sim/test_programs.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

FaultOptions often(FaultMask mask) {
    return {.mask = mask, .between = 100ms, .lasts_max = 1s, .at_once_max = 3};
}

TEST(Faults, AMaskWithoutKindsInjectsNothing) {
    World world;
    start_gossip(world, 3);
    Faults faults(world, often(FaultMask::none()));
    faults.start();
    world.run_for(10s);
    EXPECT_EQ(faults.injected(), 0U);
}

TEST(Faults, EachKindHappensWhenItIsTheOnlyOne) {
    for (std::size_t i = 0; i < fault_count; ++i) {
        const auto fault = static_cast<Fault>(i);
        World world({.seed = 3});
        start_gossip(world, 2);
        Faults faults(world, often(FaultMask::none().with(fault)));
        faults.start();
        world.run_for(10s);
        EXPECT_GT(faults.injected(fault), 5U) << name(fault);
        EXPECT_EQ(faults.injected(), faults.injected(fault)) << name(fault);
        EXPECT_NE(faults.summary().find(name(fault)), std::string::npos);
    }
}

TEST(Faults, AStoppedNemesisLetsItsFaultsEndInTheirTime) {
    World world({.seed = 5});
    start_gossip(world, 3);
    Faults faults(world, often(FaultMask::none().with(Fault::crash).with(Fault::power)));
    faults.start();
    world.run_for(5s);
    faults.stop();
    const std::uint64_t injected = faults.injected();
    world.run_for(5s);
    EXPECT_EQ(faults.injected(), injected);
    for (const auto& node : world.nodes()) EXPECT_TRUE(node->process("gossip").alive());
}

TEST(Faults, WhatIsSparedIsNotTouched) {
    World world({.seed = 5});
    start_gossip(world, 2);
    Process& client = world.add_node("client").start("client", idle);
    FaultOptions options = often(FaultMask::all());
    options.spare = {"client"};
    Faults faults(world, options);
    faults.start();
    for (int i = 0; i < 100; ++i) {
        world.run_for(200ms);
        ASSERT_TRUE(client.alive());
        ASSERT_FALSE(client.paused());
    }
    EXPECT_EQ(client.starts(), 1U);
    EXPECT_GT(faults.injected(), 30U);
}

// The simulator itself makes progress: after every fault has occurred and was healed, all programs
// run, all get each other's messages, and all disks accept writes.
TEST(Faults, AfterHealingEverythingWorksAgain) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Swarm swarm = draw_swarm(seed);
        swarm.faults.between = 100ms;
        swarm.faults.lasts_max = 2s;
        World world(swarm.world);
        start_gossip(world, 3);
        Faults faults(world, swarm.faults);
        faults.start();
        world.run_for(8s);

        faults.heal();
        world.network() = NetworkOptions{};
        world.run_for(25s);  // By then every half-open connection has been detected.
        for (const auto& node : world.nodes()) {
            Process& process = node->process("gossip");
            ASSERT_TRUE(process.alive()) << "seed " << seed;
            ASSERT_FALSE(process.paused()) << "seed " << seed;
            node->disk().options() = DiskOptions{};
            process.crash();  // A program whose disk has failed writes nothing more.
            process.restart();
        }
        world.run_for(5s);
        for (const auto& node : world.nodes()) {
            const Gossip& gossip = node->process("gossip").app<Gossip>();
            EXPECT_GT(gossip.heard(), 1000U) << "seed " << seed;
            EXPECT_GT(gossip.synced(), 10U) << "seed " << seed;
        }
        EXPECT_EQ(world.verdict(), "");
    }
}

TEST(Faults, OnlyTheCoreIsHealed) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        World world({.seed = seed});
        start_gossip(world, 3);
        Faults faults(world, often(FaultMask::all()));
        faults.start();
        world.run_for(5s);
        faults.heal_core({"g0", "g1"});
        world.run_for(30s);

        const std::uint64_t before = world.node("g0").process("gossip").app<Gossip>().heard();
        world.run_for(5s);
        EXPECT_GT(world.node("g0").process("gossip").app<Gossip>().heard(), before);
        const bool cut = !world.fabric().passes(world.node("g2"), world.node("g0")) ||
                         !world.fabric().passes(world.node("g0"), world.node("g2"));
        EXPECT_TRUE(cut) << "seed " << seed;
    }
}

TEST(Swarm, SomeSeedsHaveNoFaultAndMostLeaveSomeOut) {
    int calm = 0, partial = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        const Swarm swarm = draw_swarm(seed);
        calm += swarm.faults.mask.bits() == 0;
        partial += swarm.faults.mask.bits() != FaultMask::all().bits();
        ASSERT_LE(swarm.world.network.latency_min, swarm.world.network.latency_max);
        ASSERT_LE(swarm.faults.lasts_min, swarm.faults.lasts_max);
        ASSERT_GE(swarm.world.network.window_bytes, 4 * KiB);
    }
    EXPECT_GT(calm, 5);
    EXPECT_LT(calm, 50);
    EXPECT_GT(partial, 390);
}

TEST(Swarm, ASeedDrawsTheSameRunTwice) {
    EXPECT_EQ(draw_swarm(12).faults.mask.bits(), draw_swarm(12).faults.mask.bits());
    EXPECT_EQ(draw_swarm(12).world.network.jitter, draw_swarm(12).world.network.jitter);
    EXPECT_NE(draw_swarm(12).world.network.jitter, draw_swarm(13).world.network.jitter);
}

}  // namespace
}  // namespace understudy::sim
