#pragma once

#include <cstdint>

#include "tests/history/history.h"

namespace understudy::history {

struct Making {
    std::uint64_t seed = 1;
    std::size_t operations = 1000;
    std::size_t operations_per_key = 20;
    std::size_t processes = 4;
    std::uint64_t unknown_percent = 2;
};

/// A history of registers that are linearizable: reads, writes of unique values and cas by several
/// processes at once, each done at some instant between its call and its return. What ends with an
/// unknown outcome was done in half of the cases.
[[nodiscard]] History made_history(const Making& making);

/// Makes one read behind the middle find nothing, where another had found something before. Returns
/// its index.
std::uint64_t make_a_read_stale(History& history);

}  // namespace understudy::history
