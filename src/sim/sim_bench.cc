// How many events per second does the simulator handle on one core?
//
// Bound by: one core; the memory of a small cluster fits its cache.
// Estimate before it was run: 1 M events/s. A bare heap of calls did 4 M on such a machine, half of
// the events here run a turn with two allocations, and each byte delivered is hashed.
// Target: 0.5 M events/s (docs/decisions/0005-simulator.md).

#include <cstdint>

#include <benchmark/benchmark.h>

#include "sim/faults.h"
#include "sim/test_programs.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

void report(benchmark::State& state, std::uint64_t events, Duration simulated, std::uint64_t hash) {
    const auto count = [&](double value) {
        return benchmark::Counter(value, benchmark::Counter::kIsRate);
    };
    state.counters["events/s"] = count(static_cast<double>(events));
    state.counters["times_real"] = count(static_cast<double>(simulated.count()) / 1e9);
    // The hash of the work, so that the compiler keeps it.
    state.counters["hash"] = static_cast<double>(hash & 0xffff);
}

// Five machines that greet each other every few milliseconds and write to their disks: about 9,000
// events per simulated second.
void cluster(benchmark::State& state, FaultMask mask) {
    std::uint64_t events = 0;
    std::uint64_t hash = 0;
    Duration simulated{};
    for (auto _ : state) {
        World world({.seed = 1});
        start_gossip(world, 5);
        Faults faults(world, {.mask = mask, .between = 500ms, .lasts_max = 2s});
        faults.start();
        world.run_for(5s);
        events += world.events();
        simulated += 5s;
        hash += world.trace_hash();
    }
    report(state, events, simulated, hash);
}

void timers_only(benchmark::State& state) {
    World world({.seed = 1});
    SimRuntime& runtime = world.add_node("a").start("program", idle).runtime();
    std::vector<std::unique_ptr<Timer>> timers(1000);
    std::function<void(std::size_t)> arm = [&](std::size_t i) {
        timers[i] =
            runtime.at(runtime.now() + runtime.random().between(1ms, 100ms), [&arm, i] { arm(i); });
    };
    for (std::size_t i = 0; i < timers.size(); ++i) arm(i);
    const TimePoint start = world.now();
    const std::uint64_t before = world.events();
    for (auto _ : state) world.step();
    report(state, world.events() - before, world.now() - start, world.trace_hash());
}

void healthy_cluster(benchmark::State& state) { cluster(state, FaultMask::none()); }
void faulty_cluster(benchmark::State& state) { cluster(state, FaultMask::all()); }

BENCHMARK(timers_only);
BENCHMARK(healthy_cluster)->Unit(benchmark::kMillisecond);
BENCHMARK(faulty_cluster)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace understudy::sim
