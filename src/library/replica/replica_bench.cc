// How many durable commands an application gets through the public replica on a local directory.
//
// Resource: two cores, one for the loop with the state machine, one for the application and its
// callbacks, and the disk beside them. Estimate before the first run: alone, a flush of 95 us and
// 10 us of our own: 9 k/s. With thousands under way, a microsecond on the loop and another on
// the other side: 800 k/s of 100 B; of 1 KiB the disk takes 400 MB/s: 400 k/s.
#include <atomic>
#include <string>
#include <thread>

#include <benchmark/benchmark.h>

#include "base/scratch_test.h"
#include "understudy/replica.h"

namespace understudy {
namespace {

class Count final : public SmallStateMachine {
public:
    void apply(const Command& command, Buffer&) override { total += command.body.size(); }
    void snapshot(Buffer& out) const override { out.assign(1, static_cast<std::byte>(total)); }
    Result<void> restore(Bytes) override { return {}; }
    std::uint64_t total = 0;
};

void submit_and_wait(benchmark::State& state) {
    const Scratch scratch;
    const auto count = std::make_shared<Count>();
    auto replica = Replica::open({.service = "bench",
                                  .member = "A",
                                  .journal = LocalDirectory{scratch.path + "/journal"}},
                                 count)
                       .value_or_throw();
    replica.wait_active().value_or_throw();
    const Buffer body(static_cast<std::size_t>(state.range(0)));
    for (auto each : state) {
        (void)each;
        (void)replica.submit(body).value_or_throw();
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["checksum"] = static_cast<double>(count->total % 65536);
}

void submit_pipelined(benchmark::State& state) {
    const Scratch scratch;
    const auto count = std::make_shared<Count>();
    auto replica = Replica::open({.service = "bench",
                                  .member = "A",
                                  .journal = LocalDirectory{scratch.path + "/journal"}},
                                 count)
                       .value_or_throw();
    replica.wait_active().value_or_throw();
    const Buffer body(static_cast<std::size_t>(state.range(0)));
    std::atomic<std::int64_t> done{0};
    std::int64_t submitted = 0;
    for (auto each : state) {
        (void)each;
        for (int i = 0; i < 1000; ++i) {
            ++submitted;
            replica.submit(body, [&done](const Result<Buffer>& reply) {
                US_ASSERT(static_cast<bool>(reply));
                done.fetch_add(1, std::memory_order_relaxed);
            });
        }
    }
    while (done.load() < submitted) std::this_thread::yield();
    state.SetItemsProcessed(submitted);
    state.counters["checksum"] = static_cast<double>(count->total % 65536);
}

BENCHMARK(submit_and_wait)->ArgName("bytes")->Arg(100)->Arg(1024)->UseRealTime();
BENCHMARK(submit_pipelined)->ArgName("bytes")->Arg(100)->Arg(1024)->MinTime(2)->UseRealTime();

}  // namespace
}  // namespace understudy
