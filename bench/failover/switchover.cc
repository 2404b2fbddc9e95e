// How long does a client wait during a switchover?
//
// A client calls without a pause and never sends a call twice; `understudy service switchover`
// moves the role to the other member. Measured is the longest time between two answers around each
// switchover; no call may fail. For comparison, the same is measured around a command that changes
// nothing, because starting a process also takes the client's core for a while.
// Bound by: wake-ups and one flush: drain, grant, tell (4 hops), the client connects to the next.
// Estimate before it was run: p50 3 ms, of which the command's own start takes 1; max 15 ms.
// Target: 20 ms at most, and no error.

#include <cstdint>

#include "bench/failover/witness.h"
#include "bench/harness/bench.h"
#include "bench/harness/checksum.h"
#include "bench/harness/clock.h"
#include "bench/harness/stage.h"

namespace understudy::bench {

Result<void> switchover(Bench& bench) {
    Stage stage = US_TRY(Stage::set(bench, {.lease = 1s}));
    const auto witness = US_TRY(Witness::open(
        {.registry = stage.registry(), .repeatable = false, .rest = Duration::zero()}));
    const auto understudy = [&](const char* verb) {
        return Child::run(
            {.command = {bench.program, "service", verb, "Bench", "--registry", stage.registry()},
             .errors_file = stage.place() / "command.errors"});
    };
    Samples stalls, quiet_stalls;
    Checksum checksum;
    std::uint64_t failed = 0;
    const std::size_t rounds = bench.rounds_or(100);
    for (std::size_t round = 0; round < rounds; ++round) {
        MemberProcess& old = stage.members()[round % 2];
        MemberProcess& next = stage.members()[1 - round % 2];
        US_CHECK(witness->wait_heard(old.name()));
        witness->watch();
        (void)US_TRY(understudy("show"));
        pause_for(20ms);
        quiet_stalls.add(witness->longest_stall());

        witness->watch();
        (void)US_TRY(understudy("switchover"));
        US_CHECK(witness->wait_heard(next.name()));
        US_CHECK(old.wait_role(Role::standby));
        pause_for(20ms);
        stalls.add(witness->longest_stall());
        failed += witness->failed();
        checksum.add(next.name());
    }
    bench.report.add({.what = "longest stall of a client",
                      .latency = stalls,
                      .target = {.max = 20ms},
                      .checksum = checksum.value(),
                      .configuration = {{"members", 2},
                                        {"clients", 1},
                                        {"rounds", rounds},
                                        {"calls_answered", witness->answers()},
                                        {"calls_failed", failed}},
                      .show_histogram = true});
    bench.report.add({.what = "the same around `service show`",
                      .latency = quiet_stalls,
                      .checksum = checksum.value()});
    if (failed > 0) {
        return Error{.code = Errc::failed,
                     .detail = std::to_string(failed) +
                               " calls failed during planned switchovers, "
                               "the last with " +
                               witness->last_failure()};
    }
    return {};
}

}  // namespace understudy::bench
