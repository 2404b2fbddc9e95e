#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/demo/columns.h"
#include "apps/demo/play.h"
#include "apps/demo/standby_parts.h"
#include "apps/demo/troupe.h"
#include "apps/view/listing.h"
#include "wire/dynamic.h"

namespace understudy::apps::demo {

/// The active standbys' hello world with five real processes: a registry, three copies of an
/// immortal server, an immortal client that asks it without end. Kills the active copy to and fro,
/// changes it by plan, kills both that may be active, then all; counts, and measures what the
/// client had to wait.
///
/// Every line of every process must be the expected one, and at the end the client's and the
/// server's counts must be equal, or the demonstration fails.
class Standby {
public:
    struct Round {
        std::string killed;
        std::string successor;
        std::uint64_t active_us = 0;  ///< Just before kill(), to the successor's line read.
        std::uint64_t gap_us = 0;     ///< The longest the client waited for an answer.
    };

    Standby(const PlayOptions& options, std::string directory);

    /// Plays it all. Errors: failed, timed_out (none), closed (none): interrupted.
    [[nodiscard]] Result<void> play();
    [[nodiscard]] wire::Dynamic::Map summary_json() const;
    /// What the processes wrote to standard error, for when something went wrong.
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
    Troupe troupe_;
    std::string address_;
    Actor active_ = first;
    Actor standby_ = third;
    std::vector<Round> rounds_;
    std::uint64_t switchover_gap_us_ = 0;  ///< The longest the client waited at the planned change.
    std::optional<ClientTotal> total_;
};

}  // namespace understudy::apps::demo
