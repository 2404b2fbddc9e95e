#include "registry/placement/placement.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy::registry {

namespace {

using Kind = PlacementStep::Kind;

/// A table that carries out steps at once, and counts them.
struct Moving {
    std::vector<PlacementNode> nodes;
    PlacementTable table;
    std::map<Kind, int> done;

    void take(const PlacementStep& step) {
        ++done[step.kind];
        PlacementPartition& partition = table.partitions.at(step.partition);
        const auto copy = std::find_if(partition.copies.begin(), partition.copies.end(),
                                       [&](const auto& each) { return each.node == step.node; });
        switch (step.kind) {
            case Kind::add:
                ASSERT_EQ(copy, partition.copies.end());
                partition.copies.push_back({.node = step.node, .complete = false});
                break;
            case Kind::switch_over:
                ASSERT_TRUE(copy != partition.copies.end() && copy->complete);
                partition.active = step.node;
                break;
            case Kind::remove:
                ASSERT_NE(copy, partition.copies.end());
                ASSERT_NE(partition.active, step.node);
                partition.copies.erase(copy);
                break;
        }
    }
    /// All copies catch up. What has no active copy gets one of the complete ones.
    void catch_up() {
        for (auto& partition : table.partitions) {
            for (auto& copy : partition.copies) copy.complete = copy.complete || alive(copy.node);
            elect(partition);
        }
    }
    void elect(PlacementPartition& partition) {
        if (partition.active && alive(*partition.active)) return;
        partition.active.reset();
        for (const auto& copy : partition.copies) {
            if (!copy.complete || !alive(copy.node)) continue;
            partition.active = copy.node;
            return;
        }
    }
    [[nodiscard]] bool alive(std::size_t node) const { return !gone.contains(node); }
    /// Until nothing is left to do.
    void settle() {
        for (int round = 0; round < 10'000; ++round) {
            const auto steps = placement_steps(nodes, table);
            if (steps.empty()) return;
            for (const auto& step : steps) take(step);
            catch_up();
        }
        FAIL() << "it never comes to rest";
    }
    [[nodiscard]] std::vector<std::size_t> copies() const {
        std::vector<std::size_t> counts(nodes.size(), 0);
        for (const auto& partition : table.partitions) {
            for (const auto& copy : partition.copies) ++counts[copy.node];
        }
        return counts;
    }
    [[nodiscard]] std::vector<std::size_t> actives() const {
        std::vector<std::size_t> counts(nodes.size(), 0);
        for (const auto& partition : table.partitions) {
            if (partition.active) ++counts[*partition.active];
        }
        return counts;
    }
    std::set<std::size_t> gone;
};

[[nodiscard]] Moving table(std::size_t nodes, std::size_t partitions, std::size_t replicas = 2) {
    Moving made;
    made.nodes.resize(nodes);
    made.table.replicas = replicas;
    made.table.partitions.resize(partitions);
    return made;
}

[[nodiscard]] std::size_t apart(const std::vector<std::size_t>& counts) {
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    return *most - *least;
}

}  // namespace

TEST(Placement, ANewTableIsEvenAtOnce) {
    Moving made = table(3, 10);
    made.settle();
    EXPECT_LE(apart(made.copies()), 1U);
    EXPECT_LE(apart(made.actives()), 1U);
    EXPECT_EQ(made.done[Kind::add], 20);
    EXPECT_EQ(made.done[Kind::remove], 0);
}

TEST(Placement, WithFewerNodesThanCopiesEachHasOne) {
    Moving made = table(1, 4, 3);
    made.settle();
    EXPECT_EQ(made.copies(), std::vector<std::size_t>{4});
    made.nodes.emplace_back();
    made.settle();
    EXPECT_EQ(made.copies(), (std::vector<std::size_t>{4, 4}));
    EXPECT_EQ(made.actives(), (std::vector<std::size_t>{2, 2}));
}

TEST(Placement, WithoutANodeNothingIsDone) {
    EXPECT_TRUE(placement_steps({}, table(0, 3).table).empty());
    Moving made = table(1, 2, 1);
    made.settle();
    made.nodes[0].takes = false;
    EXPECT_TRUE(placement_steps(made.nodes, made.table).empty());
}

TEST(Placement, ANodeThatJoinsGetsItsShareAndNoMore) {
    Moving made = table(3, 30);
    made.settle();
    made.done.clear();
    made.nodes.emplace_back();
    made.settle();
    EXPECT_EQ(made.copies(), std::vector<std::size_t>(4, 15));
    EXPECT_LE(apart(made.actives()), 1U);
    EXPECT_EQ(made.done[Kind::add], 15);
    EXPECT_EQ(made.done[Kind::remove], 15);
    EXPECT_LE(made.done[Kind::switch_over], 9);
}

TEST(Placement, ANodeGetsOneCopyAtATime) {
    Moving made = table(2, 6, 1);
    made.settle();
    made.nodes.emplace_back();
    const auto steps = placement_steps(made.nodes, made.table);
    ASSERT_EQ(steps.size(), 1U);
    EXPECT_EQ(steps[0].kind, Kind::add);
    EXPECT_EQ(steps[0].node, 2U);
    made.take(steps[0]);
    EXPECT_TRUE(placement_steps(made.nodes, made.table).empty()) << "it catches up";
}

TEST(Placement, AMoveKeepsThePartitionServed) {
    Moving made = table(1, 1, 1);
    made.settle();
    made.nodes.emplace_back();
    made.nodes[0].takes = false;
    const auto next = [&] { return placement_steps(made.nodes, made.table); };
    EXPECT_EQ(next(), (std::vector<PlacementStep>{{.kind = Kind::add, .partition = 0, .node = 1}}));
    made.take(next()[0]);
    EXPECT_TRUE(next().empty());
    made.catch_up();
    EXPECT_EQ(next(),
              (std::vector<PlacementStep>{{.kind = Kind::switch_over, .partition = 0, .node = 1}}));
    made.take(next()[0]);
    EXPECT_EQ(next(),
              (std::vector<PlacementStep>{{.kind = Kind::remove, .partition = 0, .node = 0}}));
    made.take(next()[0]);
    EXPECT_TRUE(next().empty());
}

TEST(Placement, ADrainedNodeIsEmptiedAndGetsItsShareBack) {
    Moving made = table(3, 12);
    made.settle();
    made.nodes[1].takes = false;
    made.settle();
    EXPECT_EQ(made.copies(), (std::vector<std::size_t>{12, 0, 12}));
    EXPECT_EQ(made.actives(), (std::vector<std::size_t>{6, 0, 6}));
    made.nodes[1].takes = true;
    made.settle();
    EXPECT_EQ(made.copies(), std::vector<std::size_t>(3, 8));
    EXPECT_EQ(made.actives(), std::vector<std::size_t>(3, 4));
}

TEST(Placement, WithoutFailbackRolesStayWhereTheyAre) {
    Moving made = table(2, 8);
    made.table.fail_back = false;
    made.settle();
    made.gone = {0};
    made.catch_up();
    EXPECT_EQ(made.actives(), (std::vector<std::size_t>{0, 8}));
    made.gone.clear();
    made.settle();
    EXPECT_EQ(made.actives(), (std::vector<std::size_t>{0, 8}));
    made.table.fail_back = true;
    made.settle();
    EXPECT_EQ(made.actives(), (std::vector<std::size_t>{4, 4}));
}

TEST(Placement, CopiesAreInDifferentZonesThenOnDifferentHosts) {
    Moving made = table(4, 8);
    made.nodes[0] = {.host = "h1", .zone = "east"};
    made.nodes[1] = {.host = "h2", .zone = "east"};
    made.nodes[2] = {.host = "h3", .zone = "west"};
    made.nodes[3] = {.host = "h3", .zone = "west"};
    made.settle();
    for (const auto& partition : made.table.partitions) {
        ASSERT_EQ(partition.copies.size(), 2U);
        EXPECT_NE(made.nodes[partition.copies[0].node].zone,
                  made.nodes[partition.copies[1].node].zone);
    }
    EXPECT_EQ(made.copies(), std::vector<std::size_t>(4, 4));
}

TEST(Placement, CopiesLeaveOneHostWhenASecondJoins) {
    Moving made = table(2, 4);
    made.nodes[0].host = made.nodes[1].host = "h1";
    made.settle();
    made.nodes.push_back({.host = "h2"});
    made.settle();
    EXPECT_EQ(made.copies(), (std::vector<std::size_t>{2, 2, 4}));
}

TEST(Placement, WeightCounts) {
    Moving made = table(2, 30, 1);
    made.nodes[1].weight = 2;
    made.settle();
    EXPECT_EQ(made.copies(), (std::vector<std::size_t>{10, 20}));
    EXPECT_EQ(made.actives(), (std::vector<std::size_t>{10, 20}));
    made.nodes.push_back({.weight = 0});
    EXPECT_TRUE(placement_steps(made.nodes, made.table).empty());
}

/// Nodes join, are drained, go and come back, while some of the steps are taken.
TEST(Placement, WhateverHappensNothingIsLostAndItComesToRest) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        Moving made = table(random.between(std::uint64_t{1}, std::uint64_t{4}),
                            random.between(std::uint64_t{1}, std::uint64_t{24}),
                            random.between(std::uint64_t{1}, std::uint64_t{3}));
        const bool named = random.chance(1, 2);
        const auto name = [&](PlacementNode& node) {
            if (!named) return;
            node.host = "h" + std::to_string(random.below(4));
            node.zone = random.chance(1, 2) ? "z" + std::to_string(random.below(3)) : "";
        };
        for (auto& node : made.nodes) name(node);
        made.settle();
        for (int event = 0; event < 20; ++event) {
            const std::size_t which = random.below(made.nodes.size());
            switch (random.below(4)) {
                case 0:
                    if (made.nodes.size() < 8) name(made.nodes.emplace_back());
                    break;
                case 1:
                    made.nodes[which].takes = !made.nodes[which].takes;
                    break;
                case 2:
                    if (made.gone.insert(which).second) made.nodes[which].takes = false;
                    break;
                default:
                    if (made.gone.erase(which) > 0) made.nodes[which].takes = true;
            }
            made.catch_up();
            for (std::uint64_t rounds = random.below(6); rounds > 0; --rounds) {
                for (const auto& step : placement_steps(made.nodes, made.table)) {
                    const PlacementPartition before = made.table.partitions[step.partition];
                    if (random.chance(7, 10)) made.take(step);
                    // The last complete copy is never removed.
                    const auto& after = made.table.partitions[step.partition].copies;
                    const auto complete = [](const auto& copy) { return copy.complete; };
                    if (std::any_of(before.copies.begin(), before.copies.end(), complete)) {
                        EXPECT_TRUE(std::any_of(after.begin(), after.end(), complete)) << seed;
                    }
                }
                if (random.chance(1, 2)) made.catch_up();
            }
        }
        made.gone.clear();
        for (auto& node : made.nodes) node.takes = true;
        made.catch_up();
        made.settle();
        for (const auto& partition : made.table.partitions) {
            EXPECT_EQ(partition.copies.size(), std::min(made.table.replicas, made.nodes.size()))
                << seed;
        }
        if (!named) {
            EXPECT_LE(apart(made.copies()), 1U) << seed;
            EXPECT_LE(apart(made.actives()), 1U) << seed;
        }
        const auto target = placement_target(made.nodes, made.table);
        for (std::size_t i = 0; i < target.size(); ++i) {
            EXPECT_EQ(target[i].front(), made.table.partitions[i].active) << seed;
        }
    }
}

}  // namespace understudy::registry
