// Three nodes in the simulator, with the real log and the real consensus.

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

TEST(ReplicatedCluster, EveryRestartOnTheSameDiskLosesNothing) {
    Cluster cluster(4);
    cluster.start_three(2ms, 200ms);
    for (int round = 0; round < 4; ++round) {
        ASSERT_NE(cluster.wait_active(), "");
        cluster.world.run_for(700ms);
        for (const char* name : {"n1", "n2", "n3"}) cluster.world.node(name).power_off();
        for (const char* name : {"n1", "n2", "n3"}) {
            cluster.world.node(name).power_on();
            cluster.process(name).restart();
        }
    }
    cluster.expect_agreement();
    EXPECT_GT(cluster.member("n1").restores, 0);
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, LeadershipIsHandedOnWithoutAnElectionTimeout) {
    Cluster cluster(5);
    cluster.start_three(2ms);
    for (int round = 0; round < 6; ++round) {
        const std::string from = cluster.wait_active();
        cluster.world.run_for(300ms);
        const std::string to = from == "n1" ? "n2" : from == "n2" ? "n3" : "n1";
        std::optional<Result<void>> outcome;
        const TimePoint begun = cluster.world.now();
        cluster.program(from).node->transfer("s", to, [&](Result<void> done) { outcome = done; });
        ASSERT_TRUE(
            cluster.world.run_until([&] { return outcome && cluster.member(to).active(); }, 2s));
        EXPECT_TRUE(*outcome) << to_string(outcome->error());
        EXPECT_LT(cluster.world.now() - begun, 20ms);
    }
    cluster.expect_agreement();
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, OnlyTheLeaderIsSteered) {
    Cluster cluster(6);
    cluster.start_three();
    const std::string leader = cluster.wait_active();
    const std::string other = leader == "n1" ? "n2" : "n1";
    std::optional<Error> error;
    const auto note = [&](const Result<void>& done) { error = done.error(); };
    const auto wait = [&] {
        error.reset();
        return cluster.world.run_until([&] { return error.has_value(); }, 1s);
    };
    cluster.program(other).node->transfer("s", leader, note);
    ASSERT_TRUE(wait());
    EXPECT_EQ(error->code, Errc::not_active);
    EXPECT_NE(error->detail.find(leader), std::string::npos);
    cluster.program(other).node->transfer("other", leader, note);
    ASSERT_TRUE(wait());
    EXPECT_EQ(error->code, Errc::not_found);
    cluster.program(leader).node->transfer("s", "n9", note);
    ASSERT_TRUE(wait());
    EXPECT_EQ(error->code, Errc::not_found);
    cluster.program(leader).node->remove_member("s", leader, note);
    ASSERT_TRUE(wait());
    EXPECT_EQ(error->code, Errc::refused);
    cluster.member(other).propose();
    EXPECT_TRUE(cluster.world.run_until([&] { return cluster.member(other).refused == 1; }, 1s));
}

TEST(ReplicatedCluster, AReplacedDiskIsAnotherServerAndIsLetInAgain) {
    Cluster cluster(7);
    cluster.start_three(2ms, 100ms);
    ASSERT_NE(cluster.wait_active(), "");
    cluster.world.run_for(1s);
    const auto before = cluster.program("n3").node->status("s");
    cluster.process("n3").crash();
    cluster.world.node("n3").disk().wipe();
    cluster.process("n3").restart();
    ASSERT_NE(cluster.wait_active(), "");
    ASSERT_TRUE(cluster.world.run_until(
        [&] {
            const std::string leader = cluster.active();
            if (leader.empty()) return false;
            const auto now = cluster.program(leader).node->status("s");
            for (const MemberStatus& member : now->members) {
                if (member.member.name == "n3") {
                    return member.votes && member.id != before->members.at(2).id;
                }
            }
            return false;
        },
        20s));
    cluster.expect_agreement();
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, WhoIsFarBehindIsSentTheCheckpoint) {
    Cluster cluster(8);
    GroupOptions group = Cluster::group();
    group.trailing_entries_min = 64;
    group.trailing_entries_max = 128;
    for (const char* name : {"n1", "n2", "n3"}) {
        auto what = cluster.spec(name, {group});
        what.propose_every = 1ms;
        what.checkpoint_every = 100ms;
        cluster.start(what);
    }
    ASSERT_NE(cluster.wait_active(), "");
    cluster.world.isolate("n3");
    cluster.world.run_for(3s);
    ASSERT_GT(cluster.oracles["s"].acknowledged.size(), 1000u);
    const int restores = cluster.member("n3").restores;
    cluster.world.heal_network();
    cluster.expect_agreement();
    EXPECT_EQ(cluster.member("n3").restores, restores + 1);
    EXPECT_EQ(cluster.world.verdict(), "");
}

// The source of a checkpoint dies at each moment of the transfer. The next leader offers the same
// checkpoint, or a newer one, or has none. The receiver's disk is slow, so that much is not durable
// yet.
TEST(ReplicatedCluster, TheSourceOfACheckpointMayDieAtAnyMomentOfItsWay) {
    for (int step = 0; step < 12; ++step) {
        SCOPED_TRACE(step);
        Cluster cluster(30 + static_cast<std::uint64_t>(step));
        GroupOptions group = Cluster::group();
        group.trailing_entries_min = 16;
        group.trailing_entries_max = 32;
        for (const char* name : {"n1", "n2", "n3"}) {
            auto what = cluster.spec(name, {group});
            what.propose_every = 2ms;
            what.checkpoint_every = 40ms;
            cluster.start(what);
        }
        ASSERT_NE(cluster.wait_active(), "");
        cluster.world.isolate("n3");
        cluster.world.run_for(500ms);
        const std::string source = cluster.wait_active({"n1", "n2"});
        ASSERT_NE(source, "");
        sim::DiskOptions& disk = cluster.world.node("n3").disk().options();
        disk.stall_rate = 300'000;
        disk.stall_max = 20ms;
        cluster.world.heal_network();
        cluster.world.run_for(step * 4ms);
        cluster.process(source).crash();
        cluster.world.run_for(300ms);
        cluster.process(source).restart();
        disk.stall_rate = 0;
        cluster.expect_agreement();
        EXPECT_EQ(cluster.world.verdict(), "");
    }
}

TEST(ReplicatedCluster, MembersComeAndGoWhileItRuns) {
    Cluster cluster(9);
    cluster.start_three(2ms, 100ms);
    ASSERT_NE(cluster.wait_active(), "");
    cluster.world.run_for(500ms);
    auto fourth = cluster.spec("n4", {});
    GroupOptions joining;
    joining.service = "s";
    fourth.groups = {joining};
    fourth.node.peers = {{.name = "n1", .address = {"n1", Cluster::port}}};
    fourth.propose_every = 2ms;
    cluster.start(fourth);
    cluster.world.run_for(500ms);
    EXPECT_EQ(cluster.member("n4").heard, Index{});

    std::optional<Result<void>> outcome;
    const auto note = [&](Result<void> done) { outcome = done; };
    cluster.program(cluster.wait_active()).node->add_member("s", Cluster::founder("n4"), note);
    ASSERT_TRUE(cluster.world.run_until([&] { return outcome.has_value(); }, 20s));
    ASSERT_TRUE(*outcome) << to_string(outcome->error());
    const std::vector<std::string> four = {"n1", "n2", "n3", "n4"};
    cluster.expect_agreement(four);

    const std::string leader = cluster.wait_active(four);
    const std::string leaves = leader == "n1" ? "n2" : "n1";
    outcome.reset();
    cluster.program(leader).node->remove_member("s", leaves, note);
    ASSERT_TRUE(cluster.world.run_until([&] { return outcome.has_value(); }, 20s));
    ASSERT_TRUE(*outcome) << to_string(outcome->error());
    cluster.process(leaves).crash();
    std::vector<std::string> rest;
    for (const std::string& name : four) {
        if (name != leaves) rest.push_back(name);
    }
    cluster.world.run_for(1s);
    cluster.expect_agreement(rest);
    EXPECT_EQ(cluster.program(rest[0]).node->status("s")->members.size(), 3u);
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, AWitnessVotesAndKeepsEntriesButIsNeverActive) {
    Cluster cluster(10);
    GroupOptions group;
    group.service = "s";
    group.founders = {Cluster::founder("n1"), Cluster::founder("n2"),
                      Cluster::founder("w", MemberKind::witness)};
    group.trailing_entries_max = 256;
    for (const char* name : {"n1", "n2", "w"}) {
        group.kind = std::string(name) == "w" ? MemberKind::witness : MemberKind::data;
        auto what = cluster.spec(name, {group});
        what.propose_every = 2ms;
        if (name[0] == 'n') what.checkpoint_every = 100ms;
        cluster.start(what);
    }
    const std::vector<std::string> data = {"n1", "n2"};
    for (int round = 0; round < 6; ++round) {
        const std::string active = cluster.wait_active(data);
        ASSERT_NE(active, "") << "round " << round;
        cluster.world.run_for(700ms);
        const std::string other = active == "n1" ? "n2" : "n1";
        // The other member misses entries that only the active member and the witness have.
        cluster.process(other).crash();
        cluster.world.run_for(200ms);
        cluster.process(active).crash();
        cluster.process(other).restart();
        ASSERT_TRUE(cluster.world.run_until([&] { return cluster.active(data) == other; }, 10s))
            << "round " << round;
        cluster.process(active).restart();
    }
    cluster.expect_agreement(data);
    EXPECT_EQ(cluster.member("w").heard, Index{});
    for (const auto& [epoch, name] : cluster.oracles["s"].actives) EXPECT_NE(name, "w");
    const auto status = cluster.program("w").node->status("s");
    EXPECT_GT(status->checkpoint, Index{});
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, OneMembersCheckpointsLetAllOthersGoOfTheirLogs) {
    Cluster cluster(12);
    GroupOptions group;
    group.service = "s";
    group.trailing_entries_min = 64;
    group.trailing_entries_max = 256;
    const std::vector<std::string> all = {"n1", "n2", "c"};
    group.founders = {Cluster::founder("n1"), Cluster::founder("n2"), Cluster::founder("c")};
    for (const std::string& name : all) {
        group.electable = name != "c";
        auto what = cluster.spec(name, {group});
        what.propose_every = 10ms;
        if (name == "c") what.checkpoint_every = 500ms;
        cluster.start(what);
    }
    ASSERT_NE(cluster.wait_active({"n1", "n2"}), "");
    // The active member too, and again after a restart, from what it was sent.
    for (int round = 0; round < 3; ++round) {
        const std::string active = cluster.wait_active({"n1", "n2"});
        ASSERT_NE(active, "") << "round " << round;
        const Index before = cluster.member("c").heard;
        ASSERT_TRUE(cluster.world.run_until(
            [&] {
                return cluster.program("n1").node->status("s")->checkpoint > before &&
                       cluster.program("n2").node->status("s")->checkpoint > before;
            },
            60s))
            << "round " << round;
        EXPECT_EQ(cluster.member("n1").checkpoints + cluster.member("n2").checkpoints, 0);
        cluster.process(active).crash();
        cluster.world.run_for(1s);
        cluster.process(active).restart();
        ASSERT_TRUE(
            cluster.world.run_until([&] { return cluster.member(active).restores > 0; }, 30s));
    }
    cluster.expect_agreement(all);
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, ACheckpointerIsActiveOnlyAsALastResort) {
    Cluster cluster(11);
    GroupOptions group;
    group.service = "s";
    group.founders = {Cluster::founder("n1"), Cluster::founder("n2"),
                      Cluster::founder("c", MemberKind::checkpointer)};
    for (const char* name : {"n1", "n2", "c"}) {
        group.kind = std::string(name) == "c" ? MemberKind::checkpointer : MemberKind::data;
        auto what = cluster.spec(name, {group});
        what.propose_every = 2ms;
        cluster.start(what);
    }
    const std::vector<std::string> all = {"n1", "n2", "c"};
    ASSERT_NE(cluster.wait_active(all), "");
    cluster.world.run_for(500ms);
    cluster.process("n1").crash();
    ASSERT_EQ(cluster.wait_active(all), "n2");
    cluster.process("n2").pause();
    cluster.process("n1").restart();
    ASSERT_TRUE(cluster.world.run_until([&] { return cluster.active({"n1"}) == "n1"; }, 10s));
    cluster.process("n2").resume();
    cluster.world.run_for(500ms);
    // Only n2 and the checkpointer are left. The checkpointer takes the lead from n2 when it may.
    cluster.process("n1").pause();
    ASSERT_TRUE(cluster.world.run_until([&] { return cluster.active({"n2"}) == "n2"; }, 10s));
    EXPECT_TRUE(cluster.program("c").node->set_last_resort("s", true));
    std::optional<Result<void>> outcome;
    cluster.program("n2").node->transfer("s", "c", [&](Result<void> done) { outcome = done; });
    ASSERT_TRUE(cluster.world.run_until([&] { return cluster.active({"c"}) == "c"; }, 10s));
    cluster.process("n1").resume();
    cluster.expect_agreement(all);
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, AMemberThatIsDesignatedOtherwiseIsNotActiveWhoeverDies) {
    Cluster cluster(14);
    GroupOptions group;
    group.service = "s";
    group.founders = {Cluster::founder("n1"), Cluster::founder("n2"), Cluster::founder("n3")};
    for (const char* name : {"n1", "n2", "n3"}) {
        group.electable = std::string(name) != "n2";
        auto what = cluster.spec(name, {group});
        what.propose_every = 2ms;
        cluster.start(what);
    }
    const std::vector<std::string> all = {"n1", "n2", "n3"};
    for (int round = 0; round < 6; ++round) {
        const std::string active = cluster.wait_active(all);
        ASSERT_TRUE(active == "n1" || active == "n3") << active;
        cluster.world.run_for(300ms);
        cluster.process(active).crash();
        ASSERT_TRUE(cluster.world.run_until(
            [&] {
                const std::string next = cluster.active(all);
                return !next.empty() && next != active;
            },
            10s));
        EXPECT_EQ(cluster.active({"n2"}), "");
        cluster.process(active).restart();
        cluster.world.run_for(500ms);
    }
    cluster.expect_agreement(all);
    EXPECT_EQ(cluster.world.verdict(), "");
}

TEST(ReplicatedCluster, ConfirmationNeedsAMajority) {
    Cluster cluster(12);
    cluster.start_three();
    const std::string leader = cluster.wait_active();
    std::vector<Result<void>> outcomes;
    const auto note = [&](Result<void> done) { outcomes.push_back(std::move(done)); };
    const Index before = cluster.member(leader).heard;
    for (int i = 0; i < 100; ++i) cluster.member(leader).journal->confirm(note);
    ASSERT_TRUE(cluster.world.run_until([&] { return outcomes.size() == 100; }, 1s));
    for (const auto& outcome : outcomes) EXPECT_TRUE(outcome);
    EXPECT_LE(cluster.member(leader).heard.value, before.value + 2) << "one barrier for many";

    cluster.world.isolate(leader);
    outcomes.clear();
    cluster.member(leader).journal->confirm(note);
    ASSERT_TRUE(cluster.world.run_until([&] { return !outcomes.empty(); }, 5s));
    EXPECT_FALSE(outcomes.front());
    EXPECT_EQ(outcomes.front().error().code, Errc::not_active);
}

TEST(ReplicatedCluster, AJournalThatClosesHandsItsLeadOn) {
    Cluster cluster(13);
    cluster.start_three(2ms);
    const std::string leader = cluster.wait_active();
    cluster.world.run_for(300ms);
    bool closed = false;
    const TimePoint begun = cluster.world.now();
    cluster.member(leader).journal->close([&] { closed = true; });
    std::vector<std::string> rest;
    for (const char* name : {"n1", "n2", "n3"}) {
        if (name != leader) rest.emplace_back(name);
    }
    ASSERT_TRUE(
        cluster.world.run_until([&] { return closed && !cluster.active(rest).empty(); }, 5s));
    EXPECT_LT(cluster.world.now() - begun, 100ms);
    cluster.expect_agreement(rest);
}

TEST(ReplicatedCluster, ManyGroupsShareALogAndAConnection) {
    constexpr int count = 40;
    Cluster cluster(14);
    std::vector<GroupOptions> groups;
    for (int i = 0; i < count; ++i) {
        groups.push_back(Cluster::group());
        groups.back().service = i == 0 ? "s" : "s" + std::to_string(i);
    }
    for (const char* name : {"n1", "n2", "n3"}) {
        auto what = cluster.spec(name, groups);
        what.propose_every = 20ms;
        cluster.start(what);
    }
    const auto active_everywhere = [&] {
        for (const GroupOptions& group : groups) {
            bool active = false;
            for (const char* name : {"n1", "n2", "n3"}) {
                active |= cluster.process(name).alive() &&
                          cluster.program(name).member(group.service).active();
            }
            if (!active) return false;
        }
        return true;
    };
    ASSERT_TRUE(cluster.world.run_until(active_everywhere, 20s));
    cluster.world.run_for(500ms);
    cluster.process("n1").crash();
    cluster.world.run_for(20ms);
    ASSERT_TRUE(cluster.world.run_until(active_everywhere, 2s));
    cluster.process("n1").restart();
    cluster.expect_agreement();
    EXPECT_EQ(cluster.world.verdict(), "");
}

std::uint64_t trace_of(std::uint64_t seed) {
    Cluster cluster(seed);
    cluster.start_three(3ms, 150ms);
    cluster.world.run_for(1s);
    cluster.process("n2").crash();
    cluster.world.run_for(500ms);
    cluster.process("n2").restart();
    cluster.world.run_for(1s);
    return cluster.world.trace_hash();
}

TEST(ReplicatedCluster, TheSameSeedIsTheSameRun) {
    EXPECT_EQ(trace_of(15), trace_of(15));
    EXPECT_NE(trace_of(15), trace_of(16));
}

}  // namespace
}  // namespace understudy::replicated
