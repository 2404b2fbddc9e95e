// How fast is a history judged? One core and its caches are the limit.
//
// Estimate, written before the first run: pairing, sorting by key and about two steps of search for
// each operation, a microsecond and a half in all: 0.3 s for 200,000 operations.

#include <benchmark/benchmark.h>

#include "tests/history/judge.h"
#include "tests/history/made_test.h"

namespace understudy::history {
namespace {

void judge_good(benchmark::State& state) {
    const History history = made_history({.operations = static_cast<std::size_t>(state.range(0))});
    for (auto _ : state) {
        const Verdict verdict = judge(history);
        if (!verdict.faults.empty()) state.SkipWithError("a good history was refused");
        state.counters["steps"] = static_cast<double>(verdict.steps);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(judge_good)->Arg(200'000)->Unit(benchmark::kMillisecond);

void judge_stale_read(benchmark::State& state) {
    History history = made_history({.operations = static_cast<std::size_t>(state.range(0))});
    make_a_read_stale(history);
    for (auto _ : state) {
        if (judge(history).faults.size() != 1) state.SkipWithError("a stale read was not found");
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(judge_stale_read)->Arg(200'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace understudy::history
