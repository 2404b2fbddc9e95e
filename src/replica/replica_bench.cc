// Measures how many durable commands a replica takes on one disk, one at a time and many at once.
//
// Resource: the flush of the disk if commands come one at a time; one core and the disk together if
// many are under way. Estimate before the first run: one at a time, one flush (95 us on the host of
// the peers' figures) and 5 us of our own: 10 k/s. With 1,024 under way, batches have 500 commands
// on average. Commands of 100 B take 1 us each on the loop, and the flushes run beside it: 700 k/s.
// With commands of 1 KiB, a flush of 512 KiB takes 250 us: 500 k/s.
#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include <benchmark/benchmark.h>

#include "replica/real_disk_test.h"
#include "understudy/snapshot_map.h"

namespace understudy::replica {
namespace {

/// Adds up the lengths of its commands, with almost no work of its own.
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
    const Scratch scratch;
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

/// A map of `mib` MiB in values of 1 KiB, one of which each command changes.
class BigMachine final : public StateMachine {
public:
    explicit BigMachine(std::uint64_t mib) : keys(mib * 1024) {
        for (std::uint64_t key = 0; key < keys; ++key) map.put(key, std::string(1024, 'v'));
    }
    void apply(const Command& command, Buffer&) override {
        const std::uint64_t key = command.index.value * 7919 + command.place;
        map.put(key % keys, std::string(as_text(command.body)));
    }
    std::unique_ptr<Snapshot> begin_snapshot() override {
        return snapshot_of(map, [](std::uint64_t key, const std::string& value, Buffer& out) {
            ByteWriter writer(out);
            writer.fixed(key);
            writer.text(value);
        });
    }
    Result<void> restore_piece(Bytes, PiecePlace) override { return {}; }
    [[nodiscard]] std::uint64_t hash() const override { return map.size(); }

    const std::uint64_t keys;
    SnapshotMap<std::uint64_t, std::string> map;
};

// Measures how long a command waits at most while a checkpoint of a large state is written, and
// without a checkpoint. 64 commands of 1 KiB are under way all the time.
//
// Resource: the loop for a slice of 128 KiB (200 us), and the disk for the flushes besides those of
// the checkpoint. Estimate before the first run: a slice, and a flush at the same time as a sync of
// 8 MiB, take 20 ms. A copy of 1 GiB at once would take 400 ms.
void checkpoint_stall(benchmark::State& state) {
    const auto mib = static_cast<std::uint64_t>(state.range(0));
    const Scratch scratch;
    BigMachine machine(mib);
    RealReplica real(machine, every(0),
                     {.directory = scratch.path + "/journal", .segment_size_bytes = 64 * MiB});
    const Buffer body(1024);
    using Clock = std::chrono::steady_clock;
    double worst_ms = 0;
    std::uint64_t done = 0;
    std::size_t under_way = 0;
    const auto keep_busy_until = [&](const std::function<bool()>& reached) {
        while (!reached()) {
            while (under_way < 64) {
                ++under_way;
                real.replica->submit(body, [&, asked = Clock::now()](const Result<Reply>& reply) {
                    US_ASSERT(static_cast<bool>(reply));
                    --under_way;
                    ++done;
                    const std::chrono::duration<double, std::milli> took = Clock::now() - asked;
                    worst_ms = std::max(worst_ms, took.count());
                });
            }
            real.runtime.poll_for(10ms);
        }
    };
    double quiet_ms = 0;
    double stall_ms = 0;
    for (auto each : state) {
        (void)each;
        const std::uint64_t before = done;
        worst_ms = 0;
        keep_busy_until([&] { return done > before + 20'000; });
        quiet_ms = std::max(quiet_ms, worst_ms);
        worst_ms = 0;
        bool taken = false;
        real.replica->checkpoint_now([&](const Result<Index>& at) { taken = bool(at); });
        keep_busy_until([&] { return taken; });
        stall_ms = std::max(stall_ms, worst_ms);
    }
    real.run_until([&] { return under_way == 0; });
    state.SetItemsProcessed(static_cast<std::int64_t>(done));
    state.counters["longest_ms"] = stall_ms;
    state.counters["without_ms"] = quiet_ms;
    state.counters["checksum"] = static_cast<double>(machine.hash() % 65536);
}

BENCHMARK(checkpoint_stall)
    ->ArgName("MiB")
    ->Arg(64)
    ->Arg(1024)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace understudy::replica
