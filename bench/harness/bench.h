#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bench/harness/report.h"
#include "understudy/types.h"

namespace understudy::bench {

/// Tiny: the same steps, a few times, to test that the benchmark still works.
enum class Size : std::uint8_t { tiny, full };

/// The settings of every benchmark.
struct Bench {
    Report& report;
    Size size = Size::full;
    bool with_peers = true;  ///< Other systems are measured too.
    int stretch = 1;         ///< Measures this many times as long, for profiling.
    std::size_t rounds = 0;  ///< For failovers; 0: the benchmark's own number.
    std::string program;     ///< The program `understudy`.
    std::string helpers;     ///< Folder of the helper programs.
    std::string directory;   ///< Where files may be created, on a real disk.

    [[nodiscard]] bool tiny() const { return size == Size::tiny; }
    [[nodiscard]] std::size_t rounds_or(std::size_t full) const {
        if (rounds > 0) return rounds;
        return tiny() ? 3 : full;
    }
    [[nodiscard]] Duration span(Duration full) const { return tiny() ? 100ms : full * stretch; }
    /// Tiny runs use few, so that some are answered within the span on any machine.
    [[nodiscard]] std::size_t outstanding(std::size_t full) const {
        return tiny() ? std::min<std::size_t>(full, 64) : full;
    }
    [[nodiscard]] std::string helper(std::string_view name) const {
        return helpers + "/" + std::string(name);
    }
};

// Each is in the file of its name, with the question that it answers. An Error means that it could
// not be measured, or that the measured system did not work.
Result<void> floors(Bench& bench);
Result<void> failover_kill(Bench& bench);
Result<void> failover_stop(Bench& bench);
Result<void> failover_cut(Bench& bench);
Result<void> switchover(Bench& bench);
Result<void> records(Bench& bench);
Result<void> rpc(Bench& bench);
Result<void> footprint(Bench& bench);
Result<void> durable(Bench& bench);
Result<void> groups(Bench& bench);
Result<void> failover_journal(Bench& bench);
Result<void> recovery(Bench& bench);
Result<void> immortal(Bench& bench);
Result<void> immortal_recovery(Bench& bench);
Result<void> immortal_checkpointer(Bench& bench);
Result<void> immortal_coordinator(Bench& bench);

}  // namespace understudy::bench
