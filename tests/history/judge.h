#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/models.h"

namespace understudy::history {

/// The result for a history.
struct Verdict {
    std::vector<std::string> faults;  ///< Empty: the history is possible.
    std::size_t operations = 0;
    std::size_t acknowledged = 0;
    std::size_t refused = 0;
    std::size_t unknown = 0;
    std::uint64_t steps = 0;            ///< Steps of the searches.
    std::vector<std::int64_t> gaps_ns;  ///< One for each fault of the nemesis.
};

/// Judges `history` with all checks that apply: linearizability of each key by its verbs, epochs,
/// watches, journals, replicas, gaps.
///
/// An unknown verb is a fault, and so is a history that has no end or was not drained: a run
/// without a verdict has failed.
[[nodiscard]] Verdict judge(const History& history, const Budget& budget = {});

}  // namespace understudy::history
