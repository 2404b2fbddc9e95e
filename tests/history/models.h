#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/history/linearizability.h"

namespace understudy::history {

/// What a key is, by the verbs that are used on it.
enum class Family : std::uint8_t {
    none,
    cell,      ///< read, write, cas
    lease,     ///< lease, keep, release, holder: it may lapse; epochs grow
    mutex,     ///< lock, unlock: it does not lapse
    election,  ///< elect, lookup: who is active, in which epoch
    set,       ///< add, remove, contains, members
    journal,   ///< append: not searched, see faults_in_journals
};

[[nodiscard]] Family family_of(const std::string& f);
[[nodiscard]] std::string_view name(Family family);

/// One value, null at first. A cas that answers false has compared, and found another value.
struct CellModel {
    using State = std::int64_t;
    [[nodiscard]] State start() const { return 0; }
    [[nodiscard]] std::size_t hash(const State& state) const {
        return static_cast<std::size_t>(state);
    }
    [[nodiscard]] bool step(State& state, const Call& call) const;
};

/// A holder and the epoch of its grant. A grant takes a higher epoch than any before; keeping and
/// looking find what was granted last. A lease that may lapse may do so unseen, but once somebody
/// was told that nobody holds it, its holder cannot keep it.
struct LeaseModel {
    bool lapses = true;
    struct State {
        std::int64_t owner = 0;
        std::uint64_t epoch = 0;
        bool held = false;
        bool at_least = false;  ///< The grant's answer was lost: its epoch may be higher.
        bool operator==(const State&) const = default;
    };
    [[nodiscard]] State start() const { return {}; }
    [[nodiscard]] std::size_t hash(const State& state) const;
    [[nodiscard]] bool step(State& state, const Call& call) const;
};

/// Who is active, in which epoch. The registry grants by itself, so a lookup may find a later epoch
/// than the last one known; never an earlier one, and in one epoch always the same member.
struct ElectionModel {
    struct State {
        std::int64_t member = 0;
        std::uint64_t epoch = 0;
        bool operator==(const State&) const = default;
    };
    [[nodiscard]] State start() const { return {}; }
    [[nodiscard]] std::size_t hash(const State& state) const;
    [[nodiscard]] bool step(State& state, const Call& call) const;
};

/// Elements without an order, none at first.
struct SetModel {
    using State = std::vector<std::int64_t>;  ///< Sorted.
    [[nodiscard]] State start() const { return {}; }
    [[nodiscard]] std::size_t hash(const State& state) const;
    [[nodiscard]] bool step(State& state, const Call& call) const;
};

/// How much a search may do.
struct Budget {
    std::uint64_t steps_per_key = 2'000'000;
    std::uint64_t steps = 50'000'000;
};

/// Searches each key of a family that has a model. A key without a verdict within the budget is a
/// fault: nothing was shown. `steps` grows by what the search took.
[[nodiscard]] std::vector<std::string> faults_in_order(const std::vector<Operation>& operations,
                                                       const Budget& budget, std::uint64_t& steps);

}  // namespace understudy::history
