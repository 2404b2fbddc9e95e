#include "registry/placement/placement.h"

#include <algorithm>
#include <set>
#include <utility>

#include "understudy/result.h"

namespace understudy::registry {

namespace {

using Nodes = std::vector<PlacementNode>;
using Holders = std::vector<std::size_t>;

[[nodiscard]] bool holds(const Holders& holders, std::size_t node) {
    return std::find(holders.begin(), holders.end(), node) != holders.end();
}

/// Whether it is fairer to move one unit of load from one node to another.
[[nodiscard]] bool uneven(const Nodes& nodes, const std::vector<std::size_t>& load,
                          std::size_t from, std::size_t to) {
    return load[from] * nodes[to].weight > (load[to] + 1) * nodes[from].weight;
}

/// Whether `a` holds less for its weight than `b`; of equals the one that joined first.
[[nodiscard]] bool lighter(const Nodes& nodes, const std::vector<std::size_t>& load, std::size_t a,
                           std::size_t b) {
    const std::size_t left = load[a] * nodes[b].weight;
    const std::size_t right = load[b] * nodes[a].weight;
    return left != right ? left < right : a < b;
}

/// How badly two holders of a partition are spread: one zone is worse than one host. A node without
/// a name for its host or zone has one of its own.
[[nodiscard]] std::size_t crowding(const PlacementNode& a, const PlacementNode& b) {
    constexpr std::size_t per_zone = 1000;
    std::size_t crowded = 0;
    if (!a.zone.empty() && a.zone == b.zone) crowded += per_zone;
    if (!a.host.empty() && a.host == b.host) ++crowded;
    return crowded;
}

/// How badly `node` is spread beside the holders other than itself and `except`.
[[nodiscard]] std::size_t crowding_at(const Nodes& nodes, const Holders& holders, std::size_t node,
                                      std::size_t except) {
    std::size_t crowded = 0;
    for (const std::size_t other : holders) {
        if (other != except && other != node) crowded += crowding(nodes[node], nodes[other]);
    }
    return crowded;
}

/// A chain of nodes along which one unit of load moves from its first to its last.
///
/// `can_go(x, y)` tells whether a unit at x can go to y. Breadth first, so the chain is as short as
/// possible. Empty if there is none that makes the load fairer.
template <typename CanGo>
[[nodiscard]] std::vector<std::size_t> fairer_chain(const Nodes& nodes,
                                                    const std::vector<std::size_t>& load,
                                                    std::vector<std::size_t> taking,
                                                    const CanGo& can_go) {
    // From the heaviest on, and to the lightest first, so that equal chains end there.
    std::sort(taking.begin(), taking.end(),
              [&](std::size_t a, std::size_t b) { return lighter(nodes, load, a, b); });
    for (auto heavy = taking.rbegin(); heavy != taking.rend(); ++heavy) {
        const std::size_t from = *heavy;
        const bool any = std::any_of(taking.begin(), taking.end(), [&](std::size_t to) {
            return to != from && uneven(nodes, load, from, to);
        });
        if (!any) continue;
        constexpr std::size_t none = SIZE_MAX;
        std::vector<std::size_t> before(nodes.size(), none);
        std::vector<std::size_t> reached{from};
        before[from] = from;
        for (std::size_t at = 0; at < reached.size(); ++at) {
            for (const std::size_t to : taking) {
                if (before[to] != none || !can_go(reached[at], to)) continue;
                before[to] = reached[at];
                if (uneven(nodes, load, from, to)) {
                    std::vector<std::size_t> chain{to};
                    while (chain.back() != from) chain.push_back(before[chain.back()]);
                    std::reverse(chain.begin(), chain.end());
                    return chain;
                }
                reached.push_back(to);
            }
        }
    }
    return {};
}

/// Chooses the holders of all partitions of a table.
class CopyPlacement {
public:
    CopyPlacement(const Nodes& nodes, const PlacementTable& table)
        : nodes_(nodes),
          table_(table),
          load_(nodes.size(), 0),
          held_(nodes.size()),
          holders_(table.partitions.size()) {
        for (std::size_t node = 0; node < nodes.size(); ++node) {
            if (nodes[node].takes && nodes[node].weight > 0) taking_.push_back(node);
        }
        wanted_ = std::min(table.replicas, taking_.size());
    }

    [[nodiscard]] PlacementTarget run() {
        keep();
        for (std::size_t partition = 0; partition < holders_.size(); ++partition) {
            while (holders_[partition].size() > wanted_) drop(partition);
        }
        for (std::size_t partition = 0; partition < holders_.size(); ++partition) {
            while (holders_[partition].size() < wanted_) add(partition);
        }
        // A move for evenness may make a better spread possible. Each round leaves less crowding.
        for (bool changed = true; changed;) {
            changed = false;
            for (std::size_t partition = 0; partition < holders_.size(); ++partition) {
                while (spread(partition)) changed = true;
            }
            while (balance()) {
            }
        }
        return std::move(holders_);
    }

    [[nodiscard]] const std::vector<std::size_t>& taking() const { return taking_; }

private:
    void keep() {
        for (std::size_t partition = 0; partition < holders_.size(); ++partition) {
            for (const auto& copy : table_.partitions[partition].copies) {
                if (!holds(taking_, copy.node)) continue;
                take(partition, copy.node);
            }
        }
    }

    /// A copy that costs nothing to give up first: one that is not complete. Never the active one
    /// if another can go.
    [[nodiscard]] int worth(std::size_t partition, std::size_t node) const {
        const PlacementPartition& now = table_.partitions[partition];
        if (now.active == node) return 3;
        for (const auto& copy : now.copies) {
            if (copy.node == node) return copy.complete ? 2 : 1;
        }
        return 0;
    }

    void drop(std::size_t partition) {
        const Holders& now = holders_[partition];
        std::size_t best = now.front();
        for (const std::size_t node : now) {
            if (node != best && rather_drop(partition, node, best)) best = node;
        }
        give_up(partition, best);
    }

    /// The rest must be spread well; then the heavier node loses its copy.
    [[nodiscard]] bool rather_drop(std::size_t partition, std::size_t a, std::size_t b) const {
        const Holders& now = holders_[partition];
        const std::size_t crowded_a = crowding_at(nodes_, now, a, a);
        const std::size_t crowded_b = crowding_at(nodes_, now, b, b);
        if (crowded_a != crowded_b) return crowded_a > crowded_b;
        if (uneven(nodes_, load_, a, b)) return true;
        if (uneven(nodes_, load_, b, a)) return false;
        const int worth_a = worth(partition, a);
        const int worth_b = worth(partition, b);
        if (worth_a != worth_b) return worth_a < worth_b;
        return lighter(nodes_, load_, b, a);
    }

    void add(std::size_t partition) {
        const Holders& now = holders_[partition];
        std::optional<std::size_t> best;
        std::size_t best_crowding = 0;
        for (const std::size_t node : taking_) {
            if (holds(now, node)) continue;
            const std::size_t its = crowding_at(nodes_, now, node, node);
            const bool better = !best || its < best_crowding ||
                                (its == best_crowding && lighter(nodes_, load_, node, *best));
            if (!better) continue;
            best = node;
            best_crowding = its;
        }
        US_ASSERT(best);
        take(partition, *best);
    }

    /// Moves one copy of a partition if the partition is spread better afterwards.
    bool spread(std::size_t partition) {
        const Holders& now = holders_[partition];
        std::optional<std::pair<std::size_t, std::size_t>> best;
        std::size_t most = 0;
        for (const std::size_t from : now) {
            const std::size_t crowded = crowding_at(nodes_, now, from, from);
            if (crowded == 0) continue;
            for (const std::size_t to : taking_) {
                if (holds(now, to)) continue;
                const std::size_t its = crowding_at(nodes_, now, to, from);
                if (its >= crowded || crowded - its < most) continue;
                const bool better = crowded - its > most ||
                                    worth(partition, from) < worth(partition, best->first) ||
                                    (worth(partition, from) == worth(partition, best->first) &&
                                     lighter(nodes_, load_, to, best->second));
                if (!better) continue;
                best = {from, to};
                most = crowded - its;
            }
        }
        if (!best) return false;
        give_up(partition, best->first);
        take(partition, best->second);
        return true;
    }

    /// The partition whose copy can best move from one node to another, if there is one.
    [[nodiscard]] std::optional<std::size_t> movable(std::size_t from, std::size_t to) const {
        std::optional<std::size_t> best;
        int least = 0;
        for (const std::size_t partition : held_[from]) {
            const Holders& now = holders_[partition];
            if (holds(now, to)) continue;
            const bool worse =
                crowding_at(nodes_, now, to, from) > crowding_at(nodes_, now, from, from);
            if (worse) continue;
            // A copy that is there already, from a move that has begun, costs least of all.
            const int its = worth(partition, from) - worth(partition, to);
            if (best && std::pair(its, partition) >= std::pair(least, *best)) continue;
            best = partition;
            least = its;
        }
        return best;
    }

    bool balance() {
        const auto chain = fairer_chain(
            nodes_, load_, taking_,
            [this](std::size_t from, std::size_t to) { return movable(from, to).has_value(); });
        for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
            const auto partition = movable(chain[i], chain[i + 1]);
            US_ASSERT(partition);  // What an earlier link moved was not at this node before.
            give_up(*partition, chain[i]);
            take(*partition, chain[i + 1]);
        }
        return !chain.empty();
    }

    void take(std::size_t partition, std::size_t node) {
        holders_[partition].push_back(node);
        held_[node].push_back(partition);
        ++load_[node];
    }
    void give_up(std::size_t partition, std::size_t node) {
        std::erase(holders_[partition], node);
        std::erase(held_[node], partition);
        --load_[node];
    }

    const Nodes& nodes_;
    const PlacementTable& table_;
    std::vector<std::size_t> taking_;
    std::size_t wanted_ = 0;
    std::vector<std::size_t> load_;               ///< By node.
    std::vector<std::vector<std::size_t>> held_;  ///< Partitions, by node.
    PlacementTarget holders_;                     ///< Nodes, by partition.
};

/// Puts the node that shall be active first, in all partitions.
void choose_actives(const Nodes& nodes, const PlacementTable& table,
                    const std::vector<std::size_t>& taking, PlacementTarget& target) {
    std::vector<std::size_t> load(nodes.size(), 0);
    const auto lead = [](Holders& holders, std::size_t node) {
        std::iter_swap(holders.begin(), std::find(holders.begin(), holders.end(), node));
    };
    std::vector<std::size_t> open;
    for (std::size_t partition = 0; partition < target.size(); ++partition) {
        const auto& active = table.partitions[partition].active;
        if (active && holds(target[partition], *active)) {
            lead(target[partition], *active);
            ++load[*active];
        } else if (!target[partition].empty()) {
            open.push_back(partition);
        }
    }
    // What has no active copy that stays goes to the lightest of its nodes, a complete copy first.
    for (const std::size_t partition : open) {
        const auto complete = [&](std::size_t node) {
            const auto& copies = table.partitions[partition].copies;
            return std::any_of(copies.begin(), copies.end(), [node](const auto& copy) {
                return copy.node == node && copy.complete;
            });
        };
        Holders& holders = target[partition];
        const std::size_t best =
            *std::min_element(holders.begin(), holders.end(), [&](std::size_t a, std::size_t b) {
                if (complete(a) != complete(b)) return complete(a);
                return lighter(nodes, load, a, b);
            });
        lead(holders, best);
        ++load[best];
    }
    if (!table.fail_back) return;
    std::vector<std::set<std::size_t>> led(nodes.size());  // Partitions, by their active node.
    for (std::size_t partition = 0; partition < target.size(); ++partition) {
        if (!target[partition].empty()) led[target[partition].front()].insert(partition);
    }
    const auto movable = [&](std::size_t from, std::size_t to) -> std::optional<std::size_t> {
        const auto found =
            std::find_if(led[from].begin(), led[from].end(),
                         [&](std::size_t partition) { return holds(target[partition], to); });
        if (found == led[from].end()) return std::nullopt;
        return *found;
    };
    for (;;) {
        const auto chain = fairer_chain(nodes, load, taking, [&](std::size_t from, std::size_t to) {
            return movable(from, to).has_value();
        });
        if (chain.empty()) return;
        for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
            const auto partition = movable(chain[i], chain[i + 1]);
            US_ASSERT(partition);
            lead(target[*partition], chain[i + 1]);
            led[chain[i]].erase(*partition);
            led[chain[i + 1]].insert(*partition);
            --load[chain[i]];
            ++load[chain[i + 1]];
        }
    }
}

}  // namespace

PlacementTarget placement_target(const std::vector<PlacementNode>& nodes,
                                 const PlacementTable& table) {
    US_ASSERT(table.replicas > 0);
    CopyPlacement copies(nodes, table);
    PlacementTarget target = copies.run();
    choose_actives(nodes, table, copies.taking(), target);
    return target;
}

std::vector<PlacementStep> placement_steps(const std::vector<PlacementNode>& nodes,
                                           const PlacementTable& table) {
    using Kind = PlacementStep::Kind;
    const PlacementTarget target = placement_target(nodes, table);
    std::vector<PlacementStep> steps;
    std::set<std::size_t> receiving;  // Nodes that catch up with a copy.
    for (const PlacementPartition& partition : table.partitions) {
        for (const auto& copy : partition.copies) {
            if (!copy.complete) receiving.insert(copy.node);
        }
    }
    std::set<std::size_t> switching;
    for (std::size_t partition = 0; partition < target.size(); ++partition) {
        const PlacementPartition& now = table.partitions[partition];
        const Holders& wanted = target[partition];
        if (wanted.empty()) continue;  // No node takes copies: what is there stays.
        const auto copy_at = [&now](std::size_t node) {
            return std::find_if(now.copies.begin(), now.copies.end(),
                                [node](const auto& copy) { return copy.node == node; });
        };
        bool whole = true;
        for (const std::size_t node : wanted) {
            const auto copy = copy_at(node);
            if (copy != now.copies.end() && copy->complete) continue;
            whole = false;
            if (copy == now.copies.end() && receiving.insert(node).second) {
                steps.push_back({.kind = Kind::add, .partition = partition, .node = node});
            }
        }
        const std::size_t heir = wanted.front();
        if (now.active && *now.active != heir) {
            const auto copy = copy_at(heir);
            const bool ready = copy != now.copies.end() && copy->complete;
            if (ready && !switching.contains(heir) && !switching.contains(*now.active)) {
                switching.insert({heir, *now.active});
                steps.push_back({.kind = Kind::switch_over, .partition = partition, .node = heir});
            }
            continue;  // The copy that is active must not be removed.
        }
        if (!whole) continue;
        for (const auto& copy : now.copies) {
            if (holds(wanted, copy.node) || now.active == copy.node) continue;
            steps.push_back({.kind = Kind::remove, .partition = partition, .node = copy.node});
        }
    }
    return steps;
}

}  // namespace understudy::registry
