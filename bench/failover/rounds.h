#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "bench/failover/witness.h"
#include "bench/harness/bench.h"
#include "bench/harness/stage.h"

namespace understudy::bench {

/// What one failover after the other took.
struct Failovers {
    Samples image;             ///< To the first record image of the next active member.
    Samples answer;            ///< To the first call it answered.
    std::uint64_t strays = 0;  ///< How often a member was heard that was active no more.
    std::uint64_t failed = 0;  ///< Calls that ended in an error.
    std::uint64_t answers = 0;
    std::uint64_t rounds = 0;
    std::uint64_t unexpected = 0;  ///< Rounds before which the role had moved by itself.
};

/// How members lose their role in one benchmark, and how they come back.
struct Fault {
    std::function<Result<void>(std::size_t member)> strike;
    /// Ends when the member is in the line again.
    std::function<Result<void>(std::size_t member)> mend;
};

/// Strikes the active member, again and again, at a random moment between its heartbeats; its
/// clients' first sight of the next one is timed from just before each strike.
///
/// Errors: timed_out: nobody took over; failed: one that was active before was heard after that.
[[nodiscard]] Result<Failovers> run_failovers(Stage& stage, Witness& witness, const Fault& fault,
                                              std::size_t rounds, Duration lease);

/// Two rows, with histograms: the image and the answer.
void report_failovers(Bench& bench, const Failovers& failovers, const std::string& how,
                      Duration lease, const Target& target);

}  // namespace understudy::bench
