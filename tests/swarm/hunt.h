#pragma once

#include <cstdint>
#include <string>

#include "understudy/types.h"

namespace understudy::swarm {

struct HuntOptions {
    /// A bug's name, or all, platform, journals, quick.
    std::string bugs;
    std::uint64_t seed = 1;
    std::uint64_t seeds = 1000;        ///< For each bug.
    Duration chaos = 20s;              ///< Of each run.
    std::chrono::seconds wall = 300s;  ///< For each bug; a bug that takes longer is not found.
    std::size_t jobs = 1;              ///< Bugs hunted at a time.
};

/// Plants one bug after the other, and runs seeds until one breaks a promise; prints which promise,
/// and how many seeds it took. Each in a process of its own: an assertion may be what sees the bug.
///
/// Returns the exit code: 0 if all were found. Only in the planted build.
[[nodiscard]] int hunt(const HuntOptions& options);

}  // namespace understudy::swarm
