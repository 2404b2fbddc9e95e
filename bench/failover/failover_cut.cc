// How long is a service away when its active member is cut off from the network?
//
// Registry, two members and the client are in separate network namespaces, joined by a bridge. Both
// directions of the active member's cable are dropped there. Nothing is refused and nothing closed:
// packets just do not arrive. Timed from just before the rule is set.
// Bound by: the lease, as for a hang; setting the rule (the program nft starts) takes 3 ms. A
// promotion is reported when it is durable, so a busy disk adds its syncs (with a writer of
// gigabytes on the same disk up to 85 ms, with the registry's directory in memory 1 ms).
// Estimate before it was run: p50 lease - 1/12 of it + 6 ms; max lease + 20 ms.
// Target: lease + 100 ms at most, every time.

#include <string>

#include <unistd.h>

#include "bench/failover/cables.h"
#include "bench/failover/rounds.h"
#include "bench/harness/bench.h"

namespace understudy::bench {

Result<void> failover_cut(Bench& bench) {
    if (::geteuid() != 0) {
        bench.report.skip("cut", "network namespaces need root");
        return {};
    }
    const Duration lease = bench.tiny() ? 500ms : 200ms;
    auto cables = Cables::lay(4);
    if (!cables) {
        bench.report.skip("cut", "no network namespaces here: " + to_string(cables.error()));
        return {};
    }
    enum End : std::size_t { registry, first, second, client };
    Stage stage = US_TRY(Stage::set(
        bench,
        {.lease = lease,
         .registry_host = Cables::address(registry),
         .registry_network = cables->end(registry),
         .members = {
             {.member = "A", .host = Cables::address(first), .network = cables->end(first)},
             {.member = "B", .host = Cables::address(second), .network = cables->end(second)}}}));
    const auto inside = US_TRY(cables->enter(client));
    const auto witness = US_TRY(Witness::open({.registry = stage.registry()}));
    const Fault fault{
        .apply = [&](std::size_t member) { return cables->cut(first + member); },
        .heal = [&](std::size_t member) -> Result<void> {
            US_CHECK(cables->heal(first + member));
            return stage.members()[member].wait_role(Role::standby);
        },
    };
    const auto found = US_TRY(run_failovers(stage, *witness, fault, bench.rounds_or(100), lease));
    report_failovers(bench, found, "cut, lease " + std::to_string(lease / 1ms) + " ms", lease,
                     {.max = lease + 100ms});
    return {};
}

}  // namespace understudy::bench
