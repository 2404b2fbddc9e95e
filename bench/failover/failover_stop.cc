// How long is a service away when its active member hangs (SIGSTOP), and is the member heard when
// it resumes?
//
// Timed from just before the signal to the first record image, and to the first answered call, of
// the next member. Then SIGCONT: what the resumed member still publishes and answers must be
// ignored, and it must go to the end of the line.
// Bound by: the lease. The last heartbeat was up to a sixth of it before the signal, so it lapses
//   after 5/6 to 1 of it; then as after a kill, less the proof of death.
// Estimate before it was run: p50 lease - 1/12 of it + 2 ms; max lease + 15 ms.
// Target: lease + 100 ms at most, every time.

#include <signal.h>

#include "bench/failover/rounds.h"
#include "bench/harness/bench.h"

namespace understudy::bench {

namespace {

Result<void> stops(Bench& bench, Duration lease, std::size_t rounds) {
    Stage stage = US_TRY(Stage::set(bench, {.lease = lease}));
    const auto witness = US_TRY(Witness::open({.registry = stage.registry()}));
    const Fault fault{
        .apply = [&](std::size_t member) -> Result<void> {
            stage.members()[member].process().signal(SIGSTOP);
            return {};
        },
        .heal =
            [&](std::size_t member) {
                stage.members()[member].process().signal(SIGCONT);
                return stage.members()[member].wait_role(Role::standby);
            },
    };
    const auto found = US_TRY(run_failovers(stage, *witness, fault, rounds, lease));
    report_failovers(bench, found, "SIGSTOP, lease " + std::to_string(lease / 1ms) + " ms", lease,
                     {.max = lease + 100ms});
    return {};
}

}  // namespace

Result<void> failover_stop(Bench& bench) {
    // Tests may run in parallel, so the lease must be long enough for a busy processor.
    if (bench.tiny()) return stops(bench, 500ms, bench.rounds_or(2));
    US_CHECK(stops(bench, 200ms, bench.rounds_or(100)));
    return stops(bench, 1s, 10);
}

}  // namespace understudy::bench
