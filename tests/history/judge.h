#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/history/models.h"

namespace understudy::history {

/// What came of a history.
struct Verdict {
    std::vector<std::string> faults;  ///< None: it may have been.
    std::size_t operations = 0;
    std::size_t acknowledged = 0;
    std::size_t refused = 0;
    std::size_t unknown = 0;
    std::uint64_t steps = 0;            ///< Of the searches.
    std::vector<std::int64_t> gaps_ns;  ///< One for each fault of the nemesis.
};

/// Judges `history` by everything that applies to it: linearizability of each key by its verbs,
/// epochs, watches, journals, replicas, gaps.
///
/// A verb that nobody can judge is a fault, and so is a history without an end, or one that was not
/// drained: no verdict is a failed run.
[[nodiscard]] Verdict judge(const History& history, const Budget& budget = {});

}  // namespace understudy::history
