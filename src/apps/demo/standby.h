#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/demo/columns.h"
#include "apps/demo/play.h"
#include "apps/demo/processes.h"
#include "apps/demo/standby_parts.h"
#include "apps/view/listing.h"
#include "wire/dynamic.h"

namespace understudy::apps::demo {

/// The demonstration of active standbys with five real processes: a registry, three copies of an
/// immortal server, and an immortal client that asks it without end. It kills the active copies
/// alternately, performs a switchover, kills both copies that may be active, then all. It counts,
/// and measures how long the client waited.
///
/// Every line of every process must be the expected one, and at the end the counts of client and
/// server must be equal; otherwise the demonstration fails.
class Standby {
public:
    struct Round {
        std::string killed;
        std::string successor;
        /// From just before kill() until the successor's line was read.
        std::uint64_t active_us = 0;
        std::uint64_t gap_us = 0;  ///< The longest time that the client waited for an answer.
    };

    Standby(const PlayOptions& options, std::string directory);

    /// Runs the demonstration. Errors: failed, timed_out (none), closed (none): interrupted.
    [[nodiscard]] Result<void> play();
    [[nodiscard]] wire::Dynamic::Map summary_json() const;
    /// The standard error of the processes, for the case of a failure.
    [[nodiscard]] std::string errors() const;

private:
    enum Actor : std::size_t { registry, first, second, third, client };

    [[nodiscard]] Result<void> raise_curtain();
    [[nodiscard]] Result<void> kill_active();
    [[nodiscard]] Result<void> switch_over();
    [[nodiscard]] Result<void> leave_the_checkpointer();
    [[nodiscard]] Result<void> stop_all();
    [[nodiscard]] Result<void> end();
    [[nodiscard]] Result<void> start_copy(Actor copy, const char* role);
    [[nodiscard]] Result<void> command(std::vector<std::string> arguments);
    [[nodiscard]] Result<ClientReport> report();

    void show(const std::string& text) const;
    void act(const std::string& text) const;

    const PlayOptions options_;
    const std::string directory_;
    const Columns columns_;
    const Clock::time_point begun_ = Clock::now();
    Processes processes_;
    std::string address_;
    Actor active_ = first;
    Actor standby_ = third;
    std::vector<Round> rounds_;
    /// The longest time that the client waited during the switchover.
    std::uint64_t switchover_gap_us_ = 0;
    std::optional<ClientTotal> total_;
};

}  // namespace understudy::apps::demo
