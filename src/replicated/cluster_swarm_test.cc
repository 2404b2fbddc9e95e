// Three nodes, with the faults that a seed draws: kills, power cuts, pauses, cut connections, bad
// disks. Then everything is healed, and everything that was acknowledged must be at each node.

#include "replicated/cluster_test.h"
#include "sim/faults.h"

namespace understudy::replicated {
namespace {

void run(std::uint64_t seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    sim::Swarm swarm = sim::draw_swarm(seed);
    // A node whose disk has failed stays down until it is started again. So only one fault happens
    // at a time.
    swarm.faults.at_once_max = 1;
    swarm.faults.between = 500ms;
    swarm.faults.lasts_max = 2s;
    Cluster cluster(seed, swarm.world);
    Random random = cluster.world.fork("scenario", 0);
    GroupOptions group = Cluster::group();
    group.trailing_entries_min = random.chance(1, 2) ? 16 : 512;
    group.trailing_entries_max = 2 * group.trailing_entries_min;
    const Duration checkpoint_every =
        random.chance(1, 4) ? Duration::zero() : random.between(Duration(50ms), Duration(1s));
    for (const char* name : {"n1", "n2", "n3"}) {
        auto what = cluster.spec(name, {group});
        what.node.cache_bytes_max = random.chance(1, 2) ? 16 * KiB : 64 * MiB;
        what.propose_every = 3ms;
        what.checkpoint_every = checkpoint_every;
        cluster.start(what);
    }
    for (const char* event : {"replicated.group_failed", "replicated.node_failed",
                              "node_log.failed", "journal.poisoned", "journal.failed"}) {
        cluster.world.expect_error(event);
    }
    const auto mend = [&] {
        for (const char* name : {"n1", "n2", "n3"}) {
            sim::Process& process = cluster.process(name);
            if (process.alive() && !process.paused() && cluster.program(name).broken()) {
                process.stop();
            }
            if (!process.alive() && cluster.world.node(name).powered()) process.restart();
        }
    };
    sim::Faults faults(cluster.world, swarm.faults);
    cluster.world.run_for(2s);
    faults.start();
    for (int i = 0; i < 30; ++i) {
        cluster.world.run_for(300ms);
        for (const char* name : {"n1", "n2", "n3"}) {
            sim::Process& process = cluster.process(name);
            if (process.alive() && !process.paused() && cluster.program(name).broken()) {
                process.stop();
                if (cluster.world.node(name).powered()) process.restart();
            }
        }
    }
    faults.heal();
    mend();
    cluster.world.run_for(1s);
    mend();
    cluster.expect_agreement();
    EXPECT_EQ(cluster.world.verdict(), "") << faults.summary();
}

TEST(ReplicatedSwarm, LosesNothingThatWasAcknowledged) {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        run(seed);
        ASSERT_FALSE(testing::Test::HasFailure());
    }
}

}  // namespace
}  // namespace understudy::replicated
