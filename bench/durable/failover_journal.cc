// How long does a service on a journal take no commands when its active member is killed (kill -9)?
//
// Timed from just before kill() to the moment at which the next active member's first command is
// durable and applied, by the monotonic clock that all processes of a machine share.
// Bound by: shared directory without a registry, the look for a free lock, a sixth of the lease;
//   then claim, publication and copy, 5 flushes. Replicated: a closed connection and the proof of
//   death, an election (2 flushes, 2 messages), an entry of the new term.
// Estimate before it was run: shared directory with a lease of 200 ms 20 ms, replicated 3 ms.
// Target: p50 5 ms, p99 50 ms.

#include "bench/durable/members.h"
#include "bench/harness/bench.h"
#include "bench/harness/clock.h"

namespace understudy::bench {

namespace {

constexpr Duration settled = 300ms;  // The member that was restarted has caught up.

}  // namespace

Result<void> failover_journal(Bench& bench) {
    for (const Journaled& journaled :
         {Journaled{.name = "shared directory, no registry, 2 members",
                    .kind = "shared",
                    .members = 2,
                    .lease = 200ms},
          Journaled{.name = "replicated, 3 nodes", .kind = "group", .members = 3}}) {
        JournalMembers members = US_TRY(JournalMembers::start(bench, journaled));
        Samples times;
        const std::size_t rounds = bench.rounds_or(100);
        for (std::size_t round = 0; round < rounds; ++round) {
            pause_for(settled);
            times.add(US_TRY(members.fail_over()));
            US_CHECK(members.bring_back());
        }
        bench.report.add({.what = "kill -9 to a durable command, " + journaled.name,
                          .latency = times,
                          .target = {.p50 = 5ms, .p99 = 50ms},
                          .configuration = {{"rounds", rounds}, {"members", journaled.members}},
                          .show_histogram = true});
    }
    return {};
}

}  // namespace understudy::bench
