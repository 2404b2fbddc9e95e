#pragma once

#include <cstdint>
#include <string>

#include "understudy/types.h"

namespace understudy::swarm {

struct HuntOptions {
    /// The name of a bug, or all, platform, journals, quick.
    std::string bugs;
    std::uint64_t seed = 1;
    std::uint64_t seeds = 1000;        ///< For each bug.
    Duration chaos = 20s;              ///< For each run.
    /// For each bug; a bug that takes longer counts as not found.
    std::chrono::seconds wall = 300s;
    std::size_t jobs = 1;  ///< Bugs that are searched at the same time.
};

/// Plants one bug after the other, and runs seeds until one breaks a promise. Prints which promise,
/// and after how many seeds. Each bug has a separate process, because an assertion may find it.
///
/// Returns the exit code: 0 if all were found. Only in the planted build.
[[nodiscard]] int hunt(const HuntOptions& options);

}  // namespace understudy::swarm
