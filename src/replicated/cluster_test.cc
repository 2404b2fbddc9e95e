// Three nodes in the simulator, with the real log and the real consensus inside.

#include "replicated/cluster_test.h"

namespace understudy::replicated {
namespace {

TEST(ReplicatedCluster, FoundsItselfOnceAllFoundersAreUp) {
    Cluster cluster(1);
    auto groups = std::vector{Cluster::group()};
    cluster.start(cluster.spec("n1", groups));
    cluster.start(cluster.spec("n2", groups));
    cluster.world.run_for(2s);
    EXPECT_EQ(cluster.active({"n1", "n2"}), "");
    EXPECT_EQ(cluster.member("n1").journal, nullptr);

    cluster.start(cluster.spec("n3", groups));
    EXPECT_NE(cluster.wait_active(), "");
    cluster.expect_agreement();
    const auto status = cluster.program("n2").node->status("s");
    ASSERT_TRUE(status);
    EXPECT_EQ(status->members.size(), 3u);
    EXPECT_EQ(status->leader, cluster.active());
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, AcknowledgedEntriesAreEverywhere) {
    Cluster cluster(2);
    cluster.start_three(2ms);
    cluster.world.run_for(3s);
    EXPECT_GT(cluster.oracles["s"].acknowledged.size(), 500u);
    cluster.expect_agreement();
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, ALeaderThatDiesIsReplacedInMilliseconds) {
    Cluster cluster(3);
    cluster.start_three(2ms);
    for (int round = 0; round < 5; ++round) {
        const std::string before = cluster.wait_active();
        ASSERT_NE(before, "");
        cluster.world.run_for(500ms);
        const TimePoint died = cluster.world.now();
        cluster.process(before).crash();
        const std::string after = cluster.wait_active();
        ASSERT_NE(after, "");
        EXPECT_NE(after, before);
        EXPECT_LT(cluster.world.now() - died, 50ms) << "round " << round;
        cluster.process(before).restart();
    }
    cluster.expect_agreement();
    EXPECT_EQ(cluster.world.verdict(), "");
}

}  // namespace
}  // namespace understudy::replicated
