#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/demo/columns.h"
#include "apps/demo/troupe.h"
#include "apps/view/listing.h"
#include "wire/dynamic.h"

namespace understudy::apps::demo {

// What all plays do alike.

inline constexpr Duration step_limit = 20s;

struct PlayOptions {
    std::uint64_t rounds = 1;   ///< Kills of the active member.
    Duration pause{};           ///< Between acts, for those who watch.
    bool summary_only = false;  ///< Standard output holds the JSON summary alone.
    Paint paint = Paint::plain;
};

void show(const PlayOptions& options, const std::string& text);
/// After the pause, which an interrupt ends; the next wait tells of it.
void act(const PlayOptions& options, const Columns& columns, const std::string& text);

[[nodiscard]] std::uint64_t microseconds(Clock::duration duration);
[[nodiscard]] Error unexpected(std::string detail);

/// Starts a registry and returns its address. Errors: as Troupe::next_line().
[[nodiscard]] Result<std::string> start_registry(Troupe& troupe, std::size_t actor,
                                                 const std::string& directory,
                                                 const std::string& platform);
/// Tells everyone to go, the registry last. Errors: failed (none): somebody did not go, or not
/// well.
[[nodiscard]] Result<void> send_home(Troupe& troupe, const std::vector<std::size_t>& actors,
                                     std::size_t registry);
/// What each actor wrote to standard error.
[[nodiscard]] std::string errors_of(const Troupe& troupe, const std::vector<std::string>& names);

/// One figure of all rounds, in their order of size.
template <class Round>
[[nodiscard]] std::vector<std::uint64_t> sorted(const std::vector<Round>& rounds,
                                                std::uint64_t Round::* figure) {
    std::vector<std::uint64_t> values;
    for (const Round& round : rounds) values.push_back(round.*figure);
    std::sort(values.begin(), values.end());
    return values;
}
/// Of sorted figures; 0 if there are none.
[[nodiscard]] std::uint64_t percentile(const std::vector<std::uint64_t>& sorted,
                                       std::size_t percent);

}  // namespace understudy::apps::demo
