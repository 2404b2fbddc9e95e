#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "bench/failover/witness.h"
#include "bench/harness/bench.h"
#include "bench/harness/stage.h"

namespace understudy::bench {

/// The results of a series of failovers.
struct Failovers {
    Samples image;             ///< To the first record image of the next active member.
    Samples answer;            ///< To the first call it answered.
    std::uint64_t strays = 0;  ///< How often a member was heard that was no longer active.
    std::uint64_t failed = 0;  ///< Calls that ended in an error.
    std::uint64_t answers = 0;
    std::uint64_t rounds = 0;
    /// Rounds before which the role had moved without a fault of the benchmark.
    std::uint64_t unexpected = 0;
};

/// How members lose their role in one benchmark, and how they return.
struct Fault {
    std::function<Result<void>(std::size_t member)> apply;
    /// Returns when the member is in the line again.
    std::function<Result<void>(std::size_t member)> heal;
};

/// Applies the fault to the active member repeatedly, at a random moment between its heartbeats.
/// The time runs from just before each fault until the client hears the next active member.
///
/// Errors: timed_out: no member took over; failed: an earlier active member was heard after that.
[[nodiscard]] Result<Failovers> run_failovers(Stage& stage, Witness& witness, const Fault& fault,
                                              std::size_t rounds, Duration lease);

/// Two rows, with histograms: the image and the answer.
void report_failovers(Bench& bench, const Failovers& failovers, const std::string& how,
                      Duration lease, const Target& target);

}  // namespace understudy::bench
