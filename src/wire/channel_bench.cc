// How many small messages one core moves through both ends of a connection.
//
// Resource: one core. Estimate before the first run: a message of 16 bytes costs two copies, a
// checksum at 10 GB/s and some 20 branches on each side: 30 ns to put, 15 ns to receive, so 20 M/s.
// Wanted: 4 M/s.
#include <benchmark/benchmark.h>

#include "base/bytes.h"
#include "wire/channel.h"

namespace understudy::wire {
namespace {

class Summing final : public Channel::Sink {
public:
    explicit Summing(Channel& channel) : channel_(channel) {}
    void hello(Bytes opaque) override { (void)channel_.welcome(opaque); }
    void welcome(Bytes) override {}
    void refused(const Error&) override {}
    void message(MessageType, Bytes body) override {
        sum += body.size() + std::to_integer<std::uint64_t>(body.front());
    }
    std::uint64_t sum = 0;

private:
    Channel& channel_;
};

void run(benchmark::State& state, Compression compression) {
    const auto body_size = static_cast<std::size_t>(state.range(0));
    const auto per_turn = static_cast<std::size_t>(state.range(1));
    Channel client(Side::connecting, {.compressions = {compression}});
    Channel server(Side::accepting, {.compressions = {compression}});
    Summing at_client(client), at_server(server);
    (void)client.hello({});
    (void)server.receive(client.flush(), at_server);
    (void)client.receive(server.flush(), at_client);

    Buffer body(body_size);
    const std::byte head[] = {std::byte{1}, std::byte{2}, std::byte{3}};
    std::uint64_t moved = 0, bytes = 0;
    for (auto each : state) {
        (void)each;
        for (std::size_t i = 0; i < per_turn; ++i) {
            body[i % body_size] = static_cast<std::byte>(i);
            (void)client.put(MessageType::delta, {head, body});
        }
        const Bytes sent = client.flush();
        bytes += sent.size();
        (void)server.receive(sent, at_server);
        moved += per_turn;
    }
    benchmark::DoNotOptimize(at_server.sum);
    state.SetItemsProcessed(static_cast<std::int64_t>(moved));
    state.counters["checksum"] = static_cast<double>(at_server.sum % 65536);
    state.counters["wire_bytes_each"] = static_cast<double>(bytes) / static_cast<double>(moved);
}

void plain(benchmark::State& state) { run(state, Compression::none); }
void gzip(benchmark::State& state) { run(state, Compression::gzip); }
void zstd(benchmark::State& state) { run(state, Compression::zstd); }

BENCHMARK(plain)->Args({16, 1})->Args({16, 1000})->Args({100, 1000})->Args({1024, 100});
BENCHMARK(gzip)->Args({16, 1000})->Args({100, 1000});
BENCHMARK(zstd)->Args({16, 1000})->Args({100, 1000});

}  // namespace
}  // namespace understudy::wire
