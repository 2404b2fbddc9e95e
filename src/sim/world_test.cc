#include "sim/world.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "sim/faults.h"
#include "sim/test_programs.h"

namespace understudy::sim {
namespace {

struct Outcome {
    std::uint64_t hash;
    std::uint64_t events;
    std::uint64_t faults;
};

// Ten simulated seconds of a gossiping cluster under everything that its seed draws.
Outcome run_swarm(std::uint64_t seed) {
    Swarm swarm = draw_swarm(seed);
    swarm.faults.mask = FaultMask::all();
    swarm.faults.between = 300ms;
    swarm.faults.lasts_max = 3s;
    World world(swarm.world);
    start_gossip(world, 3);
    Faults faults(world, swarm.faults);
    faults.start();
    world.run_for(10s);
    return {world.trace_hash(), world.events(), faults.injected()};
}

TEST(World, TheSameSeedIsTheSameRun) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        const Outcome first = run_swarm(seed);
        const Outcome second = run_swarm(seed);
        ASSERT_EQ(first.hash, second.hash) << "seed " << seed;
        ASSERT_EQ(first.events, second.events) << "seed " << seed;
        EXPECT_GT(first.faults, 0U) << "seed " << seed;
    }
}

TEST(World, DifferentSeedsAreDifferentRuns) {
    std::set<std::uint64_t> hashes;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) hashes.insert(run_swarm(seed).hash);
    EXPECT_EQ(hashes.size(), 8U);
}

// Addresses, and the size of the environment, are not part of the seed.
TEST(World, AnotherLayoutOfMemoryIsTheSameRun) {
    const Outcome first = run_swarm(5);
    std::vector<std::unique_ptr<Buffer>> ballast;
    for (std::size_t i = 1; i < 2000; ++i) ballast.push_back(std::make_unique<Buffer>(i));
    for (std::size_t i = 0; i < ballast.size(); i += 3) ballast[i].reset();
    EXPECT_EQ(run_swarm(5).hash, first.hash);
}

TEST(World, AnotherDrawForOnePurposeChangesNothingForAnother) {
    World world({.seed = 9});
    World other({.seed = 9});
    (void)other.random().next();
    EXPECT_EQ(world.fork("network", 0).next(), other.fork("network", 0).next());
    EXPECT_NE(world.fork("network", 0).next(), world.fork("network", 1).next());
}

TEST(World, TimePassesOnlyInEvents) {
    World world;
    std::vector<Duration> seen;
    world.after(3s, [&] { seen.push_back(world.now() - world.start()); });
    world.after(1s, [&] { seen.push_back(world.now() - world.start()); });

    world.run_for(2s);
    EXPECT_EQ(seen, (std::vector<Duration>{1s}));
    EXPECT_EQ(world.now() - world.start(), 2s);
    world.run_for(2s);
    EXPECT_EQ(seen, (std::vector<Duration>{1s, 3s}));
}

TEST(World, RunUntilStopsAtTheEventThatMakesItTrue) {
    World world;
    bool happened = false;
    world.after(1s, [&] { happened = true; });
    EXPECT_TRUE(world.run_until([&] { return happened; }, 10s));
    EXPECT_EQ(world.now() - world.start(), 1s);
    EXPECT_FALSE(world.run_until([] { return false; }, world.now() + 5s));
    EXPECT_EQ(world.now() - world.start(), 6s);
}

TEST(World, AnEventLoopThatTakesNoTimeIsFound) {
    World world;
    std::function<void()> again = [&] { world.after(0s, again); };
    again();
    EXPECT_DEATH(world.run_for(1s), "events_at_once_max");
}

TEST(World, RunningFromWithinAnEventIsRefused) {
    World world;
    world.after(1s, [&] { world.run_for(1s); });
    EXPECT_DEATH(world.run_for(2s), "stepping_");
}

TEST(World, AnErrorInTheLogFailsTheRunUnlessItIsExpected) {
    World world({.seed = 77});
    world.add_node("a").start("program", idle);
    Log& log = world.node("a").process("program").log();

    world.expect_error("disk.lost");
    log.error("disk.lost");
    EXPECT_EQ(world.verdict(), "");

    log.error("journal.damaged", {kv("index", 7)});
    ASSERT_EQ(world.errors().size(), 1U);
    EXPECT_EQ(world.errors().front(), "program: journal.damaged index=7");
    EXPECT_NE(world.verdict().find("REPRO understudy-sim --seed=77"), std::string::npos);
    EXPECT_NE(world.verdict().find("journal.damaged index=7"), std::string::npos);
}

TEST(World, ALogLineCarriesVirtualTimeAndTheProcess) {
    std::vector<std::string> lines;
    WorldOptions options;
    options.sink = [&](std::string_view line) { lines.emplace_back(line); };
    World world(options);
    world.add_node("a").start("program", idle);
    world.run_for(1500ms);

    world.node("a").process("program").log().info("role.active", {kv("epoch", Epoch{2})});

    EXPECT_EQ(lines.back(),
              "[      1500.000] program      log.info               role.active epoch=2");
}

TEST(World, TheTraceKeepsItsLastEventsOnly) {
    World world;
    world.add_node("a").start("program", idle);
    for (int i = 0; i < 1000; ++i) {
        world.node("a").process("program").log().info("counted", {kv("i", i)});
    }
    const std::string tail = world.trace_tail();
    EXPECT_EQ(static_cast<std::size_t>(std::count(tail.begin(), tail.end(), '\n')),
              Trace::kept_max);
    EXPECT_NE(tail.find("i=999"), std::string::npos);
    EXPECT_EQ(tail.find("i=799\n"), std::string::npos);
}

TEST(World, InvariantsAreAskedAfterEveryEvent) {
    World world;
    std::uint64_t asked = 0;
    world.after_every_event([&] { ++asked; });
    start_gossip(world, 2);
    world.run_for(1s);
    EXPECT_EQ(asked, world.events());
    EXPECT_GT(asked, 100U);
}

}  // namespace
}  // namespace understudy::sim
