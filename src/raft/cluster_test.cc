// Runs the whole group in one thread, with many seeds, and with hosts that break a rule.
#include "raft/cluster_test.h"

#include <chrono>
#include <cstdlib>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/repeat_line_test.h"

namespace understudy::raft {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// UNDERSTUDY_RAFT_SEED runs only that seed. UNDERSTUDY_RAFT_SEEDS sets the number of seeds.
struct Seeds {
    std::uint64_t first;
    std::uint64_t count;
    explicit Seeds(std::uint64_t usual)
        : first(number_from("UNDERSTUDY_RAFT_SEED", 1)),
          count(std::getenv("UNDERSTUDY_RAFT_SEED") != nullptr
                    ? 1
                    : number_from("UNDERSTUDY_RAFT_SEEDS", usual)) {}
};

std::string name_of_test() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

void run_seeds(ClusterOptions options, std::uint64_t usual) {
    const Seeds seeds(usual);
    Cluster::Figures sum;
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
        options.seed = seed;
        const std::string again =
            fmt::format("again: UNDERSTUDY_RAFT_SEED={} raft_cluster_test --gtest_filter='*{}'",
                        seed, name_of_test());
        const RepeatLine line(again);
        Cluster cluster(options);
        const std::string failure = cluster.run();
        ASSERT_EQ(failure, "") << again;
        const Cluster::Figures& one = cluster.figures();
        sum.acknowledged += one.acknowledged;
        sum.terms += one.terms;
        sum.crashes += one.crashes;
        sum.installs += one.installs;
        sum.changes += one.changes;
        sum.transfers += one.transfers;
        sum.campaigns += one.campaigns;
        sum.simulated += one.simulated;
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    const double simulated = std::chrono::duration<double>(sum.simulated).count();
    fmt::print(
        "{} seeds: {} acknowledged, {} terms, {} crashes, {} checkpoints installed, {} changes, "
        "{} transfers, {} campaigns; {:.2f} simulated hours per second\n",
        seeds.count, sum.acknowledged, sum.terms, sum.crashes, sum.installs, sum.changes,
        sum.transfers, sum.campaigns, simulated / 3600 / wall.count());
    if (seeds.count >= 20) {  // With this many seeds, there must have been enough faults.
        EXPECT_GT(sum.acknowledged, 1000 * seeds.count);
        if (options.faults) {
            EXPECT_GT(sum.terms, 5 * seeds.count);
            EXPECT_GT(sum.installs, seeds.count / 2);
        }
        if (options.membership) {
            EXPECT_GT(sum.changes, seeds.count);
            EXPECT_GT(sum.transfers, seeds.count / 2);
        }
    }
}

TEST(Cluster, SurvivesAnything) { run_seeds({}, 40); }

TEST(Cluster, FiveVotersSurviveAnything) {
    ClusterOptions options;
    options.voters = 5;
    run_seeds(options, 12);
}

TEST(Cluster, TwoVotersLoseNothing) {
    ClusterOptions options;
    options.voters = 2;
    run_seeds(options, 12);
}

TEST(Cluster, WithoutChangesOfMembersSurvivesAnything) {
    ClusterOptions options;
    options.membership = false;
    run_seeds(options, 20);
}

TEST(Cluster, SlowDisksAndQuickRestartsLoseNothing) {
    ClusterOptions options;
    options.harsh = true;
    run_seeds(options, 12);
}

TEST(Cluster, ChangesItsMembersInQuietTimes) {
    ClusterOptions options;
    options.faults = false;
    run_seeds(options, 12);
}

TEST(Cluster, TheSameSeedIsTheSameRun) {
    ClusterOptions options;
    options.seed = 7;
    Cluster once(options);
    Cluster twice(options);
    EXPECT_EQ(once.run(), "");
    EXPECT_EQ(twice.run(), "");
    EXPECT_EQ(once.figures().trace, twice.figures().trace);
    options.seed = 8;
    Cluster other(options);
    EXPECT_EQ(other.run(), "");
    EXPECT_NE(once.figures().trace, other.figures().trace);
}

/// Expects that one of the first `within` seeds shows an error.
void expect_caught(HostRules rules, std::uint64_t within) {
    for (std::uint64_t seed = 1; seed <= within; ++seed) {
        ClusterOptions options;
        options.seed = seed;
        options.membership = false;
        options.harsh = true;
        options.rules = rules;
        Cluster cluster(options);
        const std::string failure = cluster.run();
        if (failure.empty()) continue;
        fmt::print("caught by seed {}: {}\n", seed, failure);
        return;
    }
    FAIL() << "not caught by " << within << " seeds";
}

TEST(NaiveHost, WhoSendsBeforeTheVoteIsDurableIsCaught) {
    expect_caught({.gate_sends = false, .guards = {}}, 300);
}

TEST(NaiveHost, WhoReportsEntriesTooEarlyIsCaught) {
    expect_caught({.honest_disk = false, .guards = {}}, 100);
}

TEST(NaiveHost, WhoTrustsTheEngineIsCaught) { expect_caught({.guards = Guards::none()}, 20); }

}  // namespace
}  // namespace understudy::raft
