#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/history/linearizability.h"

namespace understudy::history {

/// The kind of a key, which follows from the verbs that are used on it.
enum class Family : std::uint8_t {
    none,
    cell,      ///< read, write, cas
    lease,     ///< lease, keep, release, holder: it may expire; epochs grow
    mutex,     ///< lock, unlock: it does not expire
    election,  ///< elect, lookup: the active member and its epoch
    set,       ///< add, remove, contains, members
    journal,   ///< append: not searched, see faults_in_journals
};

[[nodiscard]] Family family_of(const std::string& f);
[[nodiscard]] std::string_view name(Family family);

/// One value, initially null. A cas that answers false has compared and found another value.
struct CellModel {
    using State = std::int64_t;
    [[nodiscard]] State start() const { return 0; }
    [[nodiscard]] std::size_t hash(const State& state) const {
        return static_cast<std::size_t>(state);
    }
    [[nodiscard]] bool step(State& state, const Call& call) const;
};

/// A holder and the epoch of its grant. A grant has a higher epoch than any before; keep and holder
/// find the last grant. A lease may expire unnoticed. But once a client was told that there is no
/// holder, the last holder cannot keep it.
struct LeaseModel {
    bool lapses = true;
    struct State {
        std::int64_t owner = 0;
        std::uint64_t epoch = 0;
        bool held = false;
        bool at_least = false;  ///< The answer to the grant was lost, so its epoch may be higher.
        bool operator==(const State&) const = default;
    };
    [[nodiscard]] State start() const { return {}; }
    [[nodiscard]] std::size_t hash(const State& state) const;
    [[nodiscard]] bool step(State& state, const Call& call) const;
};

/// The active member and its epoch. The registry grants by itself, so a lookup may find a later
/// epoch than the last known one, but never an earlier one, and always the same member in one
/// epoch.
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

/// Elements without an order; initially none.
struct SetModel {
    using State = std::vector<std::int64_t>;  ///< Sorted.
    [[nodiscard]] State start() const { return {}; }
    [[nodiscard]] std::size_t hash(const State& state) const;
    [[nodiscard]] bool step(State& state, const Call& call) const;
};

/// The limits of a search.
struct Budget {
    std::uint64_t steps_per_key = 2'000'000;
    std::uint64_t steps = 50'000'000;
};

/// Searches each key of a family that has a model. A key without a verdict within the budget is a
/// fault, because nothing was shown. `steps` grows by the steps of the search.
[[nodiscard]] std::vector<std::string> faults_in_order(const std::vector<Operation>& operations,
                                                       const Budget& budget, std::uint64_t& steps);

}  // namespace understudy::history
