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

/// A linearizable history of registers: reads, writes of unique values and cas by several processes
/// at once. Each is done at some instant between its call and its return. Half of the operations
/// with unknown outcome were done.
[[nodiscard]] History made_history(const Making& making);

/// Changes one read after the middle so that it finds nothing, although another had found something
/// before. Returns its index.
std::uint64_t make_a_read_stale(History& history);

}  // namespace understudy::history
