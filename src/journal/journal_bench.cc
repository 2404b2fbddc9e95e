// Measures how many entries one core packs into batches, and reads back.
//
// Resource: one core. Estimate before the first run: an entry of 100 bytes costs two copies, two
// checksums of 136 bytes at 10 GB/s and an allocation: 100 ns, so 10 M/s; one of 1 KiB 250 ns, 4
// M/s. The design wants 1 M durable commands of 100 bytes, or 250 k of 1 KiB, per second in total.
// So this part may take a tenth of that.
#include <benchmark/benchmark.h>

#include "journal/batcher.h"

namespace understudy::journal {
namespace {

constexpr std::uint64_t segment_bytes = 64 * MiB;
constexpr int per_batch = 256;

Batcher fresh_batcher() {
    return Batcher({.generation = first_generation(1),
                    .segment_bytes = segment_bytes,
                    .used_bytes = segment_header_bytes,
                    .chain = {.last = {1}, .epoch = {1}, .checksum = 1}},
                   Batcher::Reserve::ready,
                   {.segment_bytes = segment_bytes, .queue_bytes_max = 64 * MiB});
}

// Measures the way from the offer of a command to the bytes of its batch.
void pack(benchmark::State& state) {
    const auto body_bytes = static_cast<std::size_t>(state.range(0));
    Batcher batcher = fresh_batcher();
    std::uint64_t checksum = 0;
    for (auto each : state) {
        (void)each;
        for (int i = 0; i < per_batch; ++i) {
            Append append;
            append.drafts.push_back({.type = EntryType::command, .body = Buffer(body_bytes)});
            (void)batcher.offer(append);
        }
        for (auto formed = batcher.form(); formed.batch; formed = batcher.form()) {
            checksum += formed.batch->placed.back().checksum;
            batcher.reuse(std::move(formed.batch->bytes));
        }
        if (batcher.reserve() != Batcher::Reserve::ready) batcher.reserve_made();
    }
    benchmark::DoNotOptimize(checksum);
    state.SetItemsProcessed(state.iterations() * per_batch);
    state.SetBytesProcessed(state.iterations() * per_batch * static_cast<std::int64_t>(body_bytes));
    state.counters["checksum"] = static_cast<double>(checksum % 65536);
}

// Measures what a replay does with a segment that is in memory.
void unpack(benchmark::State& state) {
    const Buffer body(static_cast<std::size_t>(state.range(0)));
    const std::uint32_t seed = checksum_seed(first_generation(1));
    Buffer bytes;
    std::uint32_t previous = 0;
    for (std::uint64_t i = 1; i <= per_batch; ++i) {
        previous = encode({.index = {i}, .epoch = {1}, .type = EntryType::command, .body = body},
                          {.previous = previous, .synced = {0}}, seed, bytes);
    }
    std::uint64_t sum = 0;
    for (auto each : state) {
        (void)each;
        Chain chain;
        for (Bytes rest = bytes; !rest.empty();) {
            const auto entry = decode(rest, seed);
            chain.advance(entry->header);
            rest = rest.subspan(entry->header.encoded_bytes());
        }
        sum += chain.checksum;
    }
    benchmark::DoNotOptimize(sum);
    state.SetItemsProcessed(state.iterations() * per_batch);
    state.counters["checksum"] = static_cast<double>(previous % 65536);
}

BENCHMARK(pack)->Arg(16)->Arg(100)->Arg(1024)->Arg(16384);
BENCHMARK(unpack)->Arg(16)->Arg(100)->Arg(1024)->Arg(16384);

}  // namespace
}  // namespace understudy::journal
