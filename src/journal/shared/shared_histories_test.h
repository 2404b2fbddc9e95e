#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace understudy::journal {

inline constexpr int history_groups = 9;

/// How thoroughly.
struct HistoryOptions {
    std::optional<int> group;  ///< One of history_groups; all if absent.
    std::uint64_t stride = 1;
    bool stop_at_first = false;  ///< Of the faults.
};

/// Two and three members on one store: each is killed, or stopped and resumed while others go on,
/// at every disk call of what it does; the plug is pulled at every one, with every way in which
/// writes may survive. What comes back is what was promised and not kept; empty if all was.
[[nodiscard]] std::vector<std::string> faults_in_histories(const HistoryOptions& options);

/// Three members at random: steps of each, in the middle of each other's disk calls too, appends,
/// checkpoints, takeovers, kills, and power cuts for all.
[[nodiscard]] std::vector<std::string> faults_in_random_history(std::uint64_t seed);

/// How many histories the last call went through.
[[nodiscard]] std::uint64_t histories_seen();

}  // namespace understudy::journal
