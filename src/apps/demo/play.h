#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/demo/columns.h"
#include "apps/demo/processes.h"
#include "apps/view/listing.h"
#include "wire/dynamic.h"

namespace understudy::apps::demo {

// The common parts of the demonstrations.

inline constexpr Duration step_limit = 20s;

struct PlayOptions {
    std::uint64_t rounds = 1;   ///< How often the active member is killed.
    Duration pause{};           ///< Between steps, for people who watch.
    bool summary_only = false;  ///< Standard output has only the JSON summary.
    Paint paint = Paint::plain;
};

void show(const PlayOptions& options, const std::string& text);
/// Prints a step after the pause. An interrupt ends the pause, and the next wait reports it.
void act(const PlayOptions& options, const Columns& columns, const std::string& text);

[[nodiscard]] std::uint64_t microseconds(Clock::duration duration);
[[nodiscard]] Error unexpected(std::string detail);

/// Starts a registry and returns its address. Errors: as Processes::next_line().
[[nodiscard]] Result<std::string> start_registry(Processes& processes, std::size_t actor,
                                                 const std::string& directory,
                                                 const std::string& platform);
/// Stops all processes, the registry last. Errors: failed (none): a process did not end, or not
/// with success.
[[nodiscard]] Result<void> end_all(Processes& processes, const std::vector<std::size_t>& actors,
                                   std::size_t registry);
/// The standard error of each process.
[[nodiscard]] std::string errors_of(const Processes& processes,
                                    const std::vector<std::string>& names);

/// One figure of all rounds, sorted.
template <class Round>
[[nodiscard]] std::vector<std::uint64_t> sorted(const std::vector<Round>& rounds,
                                                std::uint64_t Round::*figure) {
    std::vector<std::uint64_t> values;
    for (const Round& round : rounds) values.push_back(round.*figure);
    std::sort(values.begin(), values.end());
    return values;
}
/// A percentile of sorted figures; 0 if there are none.
[[nodiscard]] std::uint64_t percentile(const std::vector<std::uint64_t>& sorted,
                                       std::size_t percent);

}  // namespace understudy::apps::demo
