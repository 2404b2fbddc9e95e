// How many calls per second does a client get answered, one at a time and with 100 outstanding?
//
// A member in another process sends back the text that it gets. Its handler runs on the callback
// thread (the default) in one series, and on the loop thread in another. For comparison, a gRPC
// echo of the same shape: unary calls, with a blocking client and the sync server one at a time,
// and with completion queues at both ends with 100 outstanding. One at a time is also measured with
// both on one core, where no thread on another core has to be woken. Ours is compared with the
// better of the two, and runs where the kernel places it. Bound by: wake-ups. One at a time, a call
// goes from the caller to its loop, over the socket to the member's loop, to its callback thread,
// and back: 6 wake-ups, 4 on the loop thread. With 100 outstanding: by the two processors.
// Estimate before it was run: one at a time 20 us on the loop thread where the client spins, 50 us
//   on the callback thread; 100 outstanding: 250 k/s.
// Target: 1.5 times gRPC one at a time, 16 B.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/calls/closed_loop.h"
#include "bench/harness/bench.h"
#include "bench/harness/child.h"
#include "bench/harness/place.h"
#include "bench/harness/stage.h"
#include "understudy/understudy.h"

namespace understudy::bench {

namespace {

constexpr std::size_t sizes[] = {16, 1024};
constexpr std::size_t outstanding_max = 100;
constexpr int any_processor = -1;
constexpr double target_ratio = 1.5;  // design: RPC one at a time, 16 B.

struct Shape {
    std::size_t size;
    std::size_t outstanding;
    friend auto operator<=>(const Shape&, const Shape&) = default;
};

constexpr Shape shapes[] = {
    {sizes[0], 1}, {sizes[1], 1}, {sizes[0], outstanding_max}, {sizes[1], outstanding_max}};

[[nodiscard]] std::string text_of(const Shape& shape) {
    const std::string size = shape.size < KiB ? std::to_string(shape.size) + " B"
                                              : std::to_string(shape.size / KiB) + " KiB";
    return size + (shape.outstanding == 1
                       ? ", one at a time"
                       : ", " + std::to_string(shape.outstanding) + " outstanding");
}

struct Spans {
    Duration warm_up;
    Duration measured;
};

[[nodiscard]] std::size_t size_of(const Result<CallResult>& answer) {
    if (!answer) return 0;
    const auto text = answer->text();
    return text ? text->size() : 0;
}

/// Keeps `outstanding_max` calls going until their time is over. Callbacks run one at a time.
class Pipeline {
public:
    Pipeline(Proxy proxy, std::string name, Arguments arguments, const Spans& spans)
        : proxy_(std::move(proxy)),
          name_(std::move(name)),
          arguments_(std::move(arguments)),
          counted_(spans.warm_up, spans.measured) {}

    [[nodiscard]] Calls run() {
        auto over = over_.get_future();
        live_ = outstanding_max;
        for (std::size_t i = 0; i < outstanding_max; ++i) begin();
        over.wait();
        return counted_.result();
    }

private:
    void begin() {
        proxy_.call_async(name_, arguments_, {}, [this, begun = now()](const auto& answer) {
            if (counted_.done(begun, size_of(answer))) {
                begin();
            } else if (--live_ == 0) {
                over_.set_value();
            }
        });
    }

    Proxy proxy_;
    const std::string name_;
    const Arguments arguments_;
    Outstanding counted_;
    std::atomic<std::size_t> live_ = 0;
    std::promise<void> over_;
};

[[nodiscard]] Calls measure_ours(Proxy& proxy, const std::string& name, const Shape& shape,
                                 const Spans& spans) {
    const Arguments arguments{{"data", std::string(shape.size, 'x')}};
    if (shape.outstanding > 1) return Pipeline(proxy, name, arguments, spans).run();
    return one_at_a_time(spans.warm_up, spans.measured,
                         [&] { return size_of(proxy.call(name, arguments)); });
}

[[nodiscard]] Row row(const std::string& who, const Shape& shape, const Calls& calls) {
    return {.what = who + ", " + text_of(shape),
            .latency = calls.latency,
            .per_second = calls.per_second,
            .checksum = calls.checksum,
            .configuration = {{"argument_bytes", shape.size}, {"outstanding", shape.outstanding}}};
}

using Peer = std::map<Shape, double>;  // Calls per second.

Result<Calls> measure_grpc(Bench& bench, const Shape& shape, const Spans& spans, int processor) {
    const bool pipelined = shape.outstanding > 1;
    const Place place = US_TRY(Place::make(bench.directory));
    const std::string program = bench.helper("bench_grpc");
    Child server = US_TRY(Child::start({.command = {program, "serve", pipelined ? "async" : "sync"},
                                        .errors_file = place / "errors",
                                        .processor = processor}));
    const std::string ready = US_TRY(server.line_with("ready ", answer_max));
    const auto in_ms = [](Duration time) { return std::to_string(time / 1ms); };
    const std::string file = place / "samples";
    const std::string said = US_TRY(
        Child::run({.command = {program, "call", "127.0.0.1:" + ready.substr(6),
                                std::to_string(shape.outstanding), std::to_string(shape.size),
                                in_ms(spans.warm_up), in_ms(spans.measured), file},
                    .errors_file = place / "errors",
                    .processor = processor},
                   spans.warm_up + spans.measured + 10s));
    return read_calls(said, file);
}

Result<Peer> measure_peer(Bench& bench, const Spans& spans) {
    Peer peer;
    if (!bench.with_peers) return peer;
#ifdef BENCH_GRPC
    const auto note = [&](const std::string& who, const Shape& shape,
                          int processor) -> Result<void> {
        const Calls calls = US_TRY(measure_grpc(bench, shape, spans, processor));
        bench.report.add(row(who, shape, calls));
        peer[shape] = std::max(peer[shape], calls.per_second);
        return {};
    };
    for (const Shape& shape : shapes) {
        US_CHECK(note("gRPC", shape, any_processor));
        if (shape.outstanding == 1) US_CHECK(note("gRPC on one core", shape, 0));
    }
#else
    (void)spans;
    (void)measure_grpc;
    bench.report.skip("gRPC", "not built in: apt-get install libgrpc++-dev protobuf-compiler-grpc");
#endif
    return peer;
}

}  // namespace

Result<void> rpc(Bench& bench) {
    const Spans spans{.warm_up = bench.span(300ms), .measured = bench.span(1500ms)};
    const Peer peer = US_TRY(measure_peer(bench, spans));

    Stage stage =
        US_TRY(Stage::set(bench, {.members = {{.member = "A", .tick = Duration::zero()}}}));
    Agent agent = US_TRY(Agent::open({.name = "bench-client", .registry = {stage.registry()}}));
    US_CHECK(agent.wait_for_service("Bench", 10s));
    Proxy proxy = US_TRY(agent.proxy("Bench"));
    const std::pair<std::string, std::string> handlers[] = {{"echo", "callback thread"},
                                                            {"echo_on_loop", "loop thread"}};
    for (const auto& [name, where] : handlers) {
        for (const Shape& shape : shapes) {
            const Calls calls = measure_ours(proxy, name, shape, spans);
            if (calls.per_second <= 0) {
                return Error{.code = Errc::failed, .detail = name + ": a call failed"};
            }
            Row ours = row(where, shape, calls);
            if (const auto found = peer.find(shape); found != peer.end()) {
                ours.beside.push_back({"gRPC", calls.per_second / found->second});
                if (shape.outstanding == 1 && shape.size == sizes[0]) {
                    ours.target.per_second = target_ratio * found->second;
                }
            }
            bench.report.add(std::move(ours));
        }
    }
    return {};
}

}  // namespace understudy::bench
