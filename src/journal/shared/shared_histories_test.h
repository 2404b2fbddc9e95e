#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace understudy::journal {

inline constexpr int history_groups = 9;

/// How thorough the histories are.
struct HistoryOptions {
    std::optional<int> group;  ///< One of history_groups; all if absent.
    std::uint64_t stride = 1;
    bool stop_at_first = false;  ///< Stops at the first fault.
};

/// Runs two and three members on one store. Each is killed, or stopped and resumed while others go
/// on, at every disk call that it makes. The power is cut at every call too, with every way in
/// which writes may survive. Returns the promises that were not kept; empty if all were kept.
[[nodiscard]] std::vector<std::string> faults_in_histories(const HistoryOptions& options);

/// Runs three members in a random order: steps of each, also in the middle of a disk call of
/// another one, appends, checkpoints, takeovers, kills, and power cuts for all.
[[nodiscard]] std::vector<std::string> faults_in_random_history(std::uint64_t seed);

/// How many histories the last call of faults_in_histories() ran.
[[nodiscard]] std::uint64_t histories_seen();

}  // namespace understudy::journal
