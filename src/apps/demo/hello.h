#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/commands/command.h"
#include "apps/commands/invocation.h"
#include "apps/demo/columns.h"
#include "apps/demo/play.h"
#include "apps/demo/processes.h"

namespace understudy::apps::demo {

/// The fault-tolerant hello world with four real processes: a registry, two members of a service, a
/// client. It kills the active member, measures, starts it again, performs a switchover, and ends
/// everything.
///
/// Every line of every process must be the expected one; otherwise the demonstration fails.
class Hello {
public:
    struct Round {
        std::string killed;
        std::string successor;
        /// From just before kill() until the client's line was read.
        std::uint64_t failover_us = 0;
        /// Measured by the client: from the loss of its member to the next message.
        std::uint64_t client_us = 0;
    };

    Hello(const PlayOptions& options, std::string directory);

    /// Runs the demonstration. Errors: failed, timed_out (none), closed (none): interrupted.
    [[nodiscard]] Result<void> play();
    [[nodiscard]] wire::Dynamic::Map summary_json() const;
    /// The standard error of the processes, for the case of a failure.
    [[nodiscard]] std::string errors() const;

private:
    enum Actor : std::size_t { registry, bar1, bar2, client };

    [[nodiscard]] Result<void> raise_curtain();
    [[nodiscard]] Result<void> kill_active();
    [[nodiscard]] Result<void> bring_back(Actor victim);
    [[nodiscard]] Result<void> switch_over();
    [[nodiscard]] Result<void> end();
    [[nodiscard]] Result<void> start_member(Actor member);

    void show(const std::string& text) const;
    void act(const std::string& text) const;
    [[nodiscard]] static std::string member_name(Actor member);
    [[nodiscard]] std::string message_of(Actor member) const;
    [[nodiscard]] Actor other() const { return active_ == bar1 ? bar2 : bar1; }

    const PlayOptions options_;
    const std::string directory_;
    const Columns columns_;
    const Clock::time_point begun_ = Clock::now();
    Processes processes_;
    std::string address_;
    Actor active_ = bar1;
    std::vector<Round> rounds_;
    std::optional<std::uint64_t> switchover_us_;
    std::uint64_t switchover_client_us_ = 0;
};

/// understudy demo hello, and the hidden commands of its processes.
void add_demo_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps::demo
