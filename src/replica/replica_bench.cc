// How many durable commands a replica takes on one disk, alone and many at once.
//
// Resource: the disk's flush for a lone command; one core and the disk together for many. Estimate
// before the first run: lone, one flush (95 us on the machine of peers' figures) and 5 us of our
// own: 10 k/s. With 1,024 under way, batches of 500 on average: 100 B, 1 us each on the loop and
// the flushes beside it: 700 k/s; 1 KiB, a flush of 512 KiB takes 250 us: 500 k/s.
#include <benchmark/benchmark.h>

#include "replica/real_disk_test.h"

namespace understudy::replica {
namespace {

/// Adds up what it is told: next to no work of its own.
class SumMachine final : public SmallStateMachine {
public:
    void apply(const Command& command, Buffer&) override { sum += command.body.size(); }
    void snapshot(Buffer& out) const override { ByteWriter(out).fixed(sum); }
    Result<void> restore(Bytes snapshot) override {
        sum = ByteReader(snapshot).fixed<std::uint64_t>().value_or(0);
        return {};
    }
    [[nodiscard]] std::uint64_t hash() const override { return sum; }

    std::uint64_t sum = 0;
};

void submit(benchmark::State& state) {
    const auto body_bytes = static_cast<std::size_t>(state.range(0));
    const auto window = static_cast<std::size_t>(state.range(1));
    const ScratchDirectory scratch;
    const Buffer body(body_bytes);
    SumMachine machine;
    RealReplica real(machine, every(1'000'000),
                     {.directory = scratch.path + "/journal", .segment_size_bytes = 64 * MiB});
    std::size_t under_way = 0;
    std::int64_t done = 0;
    for (auto each : state) {
        (void)each;
        while (under_way < window) {
            ++under_way;
            real.replica->submit(body, [&](const Result<Reply>& outcome) {
                US_ASSERT(static_cast<bool>(outcome));
                --under_way;
                ++done;
            });
        }
        real.run_until([&] { return under_way <= window / 2; });
    }
    real.run_until([&] { return under_way == 0; });
    state.SetItemsProcessed(done);
    state.counters["checksum"] = static_cast<double>(machine.hash() % 65536);
}

BENCHMARK(submit)
    ->ArgNames({"bytes", "window"})
    ->Args({100, 1})
    ->Args({1024, 1})
    ->Args({100, 1024})
    ->Args({1024, 1024})
    ->UseRealTime();

}  // namespace
}  // namespace understudy::replica
