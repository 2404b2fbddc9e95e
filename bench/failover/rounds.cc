#include "bench/failover/rounds.h"

#include <random>
#include <utility>

#include "bench/harness/checksum.h"
#include "bench/harness/clock.h"

namespace understudy::bench {

namespace {

// Long enough for a stray answer, a late delta or a wrong callback to arrive.
constexpr Duration listened = 20ms;

}  // namespace

Result<Failovers> run_failovers(Stage& stage, Witness& witness, const Fault& fault,
                                std::size_t rounds, Duration lease) {
    Failovers found;
    std::minstd_rand random(1);
    const Duration heartbeat = lease / 6;
    std::string expected = stage.members()[0].name();
    for (std::size_t round = 0; round < rounds; ++round) {
        // If the machine stops for a lease, the role moves by itself; that is not a fault.
        const std::string old = US_TRY(witness.wait_agreed());
        if (old != expected) ++found.unexpected;
        const std::size_t active = old == stage.members()[0].name() ? 0 : 1;
        expected = stage.members()[1 - active].name();
        pause_for(heartbeat * static_cast<std::int64_t>(random() % 1000) / 1000);
        witness.watch();
        const TimePoint start = now();
        US_CHECK(fault.apply(active));
        const auto noticed = US_TRY(witness.wait_next(lease + 10s));
        found.image.add(noticed.image - start);
        found.answer.add(noticed.answer - start);
        US_CHECK(fault.heal(active));
        pause_for(listened);
        found.strays += witness.strays();
        found.failed += witness.failed();
        ++found.rounds;
    }
    found.answers = witness.answers();
    if (found.strays > 0) {
        return Error{.code = Errc::failed,
                     .detail = "a member that had lost its role was heard " +
                               std::to_string(found.strays) + " times"};
    }
    return found;
}

void report_failovers(Bench& bench, const Failovers& failovers, const std::string& how,
                      Duration lease, const Target& target) {
    Checksum checksum;
    checksum.add(failovers.rounds);
    checksum.add(failovers.strays);
    const auto row = [&](const char* what, const Samples& times) {
        bench.report.add({.what = how + ", first " + what,
                          .latency = times,
                          .target = target,
                          .checksum = checksum.value(),
                          .configuration = {{"lease_ms", lease / 1ms},
                                            {"members", 2},
                                            {"clients", 1},
                                            {"rounds", failovers.rounds},
                                            {"calls_answered", failovers.answers},
                                            {"calls_failed", failovers.failed},
                                            {"strays", failovers.strays},
                                            {"unexpected", failovers.unexpected}},
                          .show_histogram = true});
    };
    row("image", failovers.image);
    row("answer", failovers.answer);
}

}  // namespace understudy::bench
