// How long is a service away when the process of its active member is killed (kill -9)?
//
// Timed from just before kill() to the first record image, and to the first answered call, of the
// next member, both at a client that subscribes and calls all the time.
// Bound by: wake-ups between processes, and one flush. The path: the kernel closes the sockets and
//   the registry proves the death (0.3 ms), grants durably (one flush, 0.1 ms), tells the next
//   member and the client (2 wake-ups, 0.1 ms); the client connects, shakes hands, subscribes and
//   calls (3 round trips, 0.3 ms).
// Estimate before it was run: p50 1.5 ms, p99 10 ms: five processes share two cores.
// Target: p50 5 ms, p99 50 ms.

#include <signal.h>

#include "bench/failover/rounds.h"
#include "bench/harness/bench.h"

namespace understudy::bench {

Result<void> failover_kill(Bench& bench) {
    constexpr Duration lease = 1s;
    Stage stage = US_TRY(Stage::set(bench, {.lease = lease}));
    const auto witness = US_TRY(Witness::open({.registry = stage.registry()}));
    const Fault fault{
        .apply = [&](std::size_t member) -> Result<void> {
            stage.members()[member].process().kill();  // Waits for its end, as a supervisor does.
            return {};
        },
        .heal = [&](std::size_t member) { return stage.restart(bench, member); },
    };
    const auto found =
        US_TRY(run_failovers(stage, *witness, fault, bench.rounds_or(200), lease / 20));
    report_failovers(bench, found, "kill -9", lease, {.p50 = 5ms, .p99 = 50ms});
    return {};
}

}  // namespace understudy::bench
