// How many exactly-once calls per second go from one immortal to another, and how long does one
// take?
//
// Two services in separate processes, each on a journal. Every call is durable at the receiver
// before it is carried out, every answer at the caller, and each is carried out once whichever
// process dies. Measured are one-way calls, and echoes with a continuation, one at a time and
// streamed; and echoes by the session of a client that is not an immortal. For comparison, gRPC,
// which stores nothing: unary calls one at a time and 100 outstanding, streams one-way and as echo.
// Bound by: one at a time, flushes: two for each echo, one by a session; streamed, the processors:
//   pack, hash, journal, copy and dispatch at both ends.
// Estimate before it was run: one-way 16 B 1 M/s, echoes 300 k/s; 64 KiB by the disk: 5 k/s; one at
//   a time 3 k/s, by a session 6 k/s.
// Target: 1 M one-way and 300 k echoes per second, 16 B, streamed, single copies.

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bench/calls/closed_loop.h"
#include "bench/harness/bench.h"
#include "bench/immortal/load.h"
#include "bench/immortal/pair.h"
#include "platform/free_port.h"

namespace understudy::bench {

namespace {

constexpr std::size_t sizes[] = {16, 1024, 64 * KiB};

[[nodiscard]] Row row(const std::string& what, std::size_t bytes, const Calls& calls,
                      std::size_t outstanding) {
    return {.what = what + ", " + size_text(bytes) +
                    (outstanding == 1   ? ", one at a time"
                     : outstanding == 0 ? ""
                                        : ", " + std::to_string(outstanding) + " outstanding"),
            .latency = calls.latency,
            .per_second = calls.per_second,
            .checksum = calls.checksum,
            .configuration = {{"argument_bytes", bytes}, {"outstanding", outstanding}}};
}

// --- gRPC ----------------------------------------------------------------------------------------

enum class Kind { one_way, echo_alone, echo_streamed };
using Peer = std::map<std::pair<Kind, std::size_t>, double>;  // Calls per second.

#ifdef BENCH_GRPC
Result<Calls> measure_grpc(const Bench& bench, const char* server_kind,
                           std::vector<std::string> how, std::size_t bytes, const Spans& spans) {
    const Place place = US_TRY(Place::make(bench.directory));
    const std::string program = bench.helper("bench_grpc");
    Child server = US_TRY(Child::start(
        {.command = {program, "serve", server_kind}, .errors_file = place / "errors"}));
    const std::string ready = US_TRY(server.line_with("ready ", answer_max));
    const std::string file = place / "samples";
    std::vector<std::string> command{program, how[0], "127.0.0.1:" + ready.substr(6)};
    command.insert(command.end(), how.begin() + 1, how.end());
    for (const std::string& word :
         {std::to_string(bytes), in_ms(spans.warm_up), in_ms(spans.measured), file}) {
        command.push_back(word);
    }
    const std::string said =
        US_TRY(Child::run({.command = command, .errors_file = place / "errors"},
                          spans.warm_up + spans.measured + answer_max));
    return read_calls(said, file);
}
#endif

Result<Peer> measure_peer(Bench& bench, const Spans& spans) {
    Peer peer;
    if (!bench.with_peers) return peer;
#ifdef BENCH_GRPC
    struct Shape {
        Kind kind;
        const char* what;
        const char* server;
        std::vector<std::string> how;
        std::size_t outstanding;
    };
    const std::vector<Shape> shapes{
        {Kind::one_way, "gRPC stream, one-way", "sync", {"stream", "one_way"}, 0},
        {Kind::echo_alone, "gRPC unary", "sync", {"call", "1"}, 1},
        {Kind::echo_streamed, "gRPC unary", "async", {"call", "100"}, 100},
        {Kind::echo_streamed, "gRPC stream, echo", "sync", {"stream", "echo"}, 1000}};
    for (const Shape& shape : shapes) {
        for (const std::size_t bytes : sizes) {
            const Calls calls =
                US_TRY(measure_grpc(bench, shape.server, shape.how, bytes, spans));
            bench.report.add(row(shape.what, bytes, calls, shape.outstanding));
            double& best = peer[{shape.kind, bytes}];
            best = std::max(best, calls.per_second);
        }
    }
#else
    (void)spans;
    bench.report.skip("gRPC", "not built in: apt-get install libgrpc++-dev protobuf-compiler-grpc");
#endif
    return peer;
}

// --- Ours ----------------------------------------------------------------------------------------

/// Adds the same kind of gRPC call for comparison.
void compare(Row& row, const Peer& peer, Kind kind, std::size_t bytes) {
    if (const auto found = peer.find({kind, bytes}); found != peer.end()) {
        row.beside.push_back({"gRPC", *row.per_second / found->second});
    }
}

Result<void> measure(Bench& bench, const ImmortalPair::Options& how, const Peer& peer,
                     const Spans& spans) {
    ImmortalPair pair = US_TRY(ImmortalPair::start(bench, how));
    const bool single = how.standbys == 0;
    for (const std::size_t bytes : sizes) {
        Row ours = row(how.name + ", one-way", bytes, US_TRY(one_way(pair, bytes, spans)), 0);
        compare(ours, peer, Kind::one_way, bytes);
        if (single && bytes == sizes[0]) ours.target.per_second = 1e6;
        bench.report.add(std::move(ours));
    }
    for (const std::string verb : {"echo", "session"}) {
        const std::string what = how.name + (verb == "echo" ? ", echo" : ", echo by a session");
        for (const std::size_t bytes : sizes) {
            for (const std::size_t window : {std::size_t{1}, bench.outstanding(window_of(bytes))}) {
                Row ours =
                    row(what, bytes, US_TRY(echo(pair, verb, bytes, window, spans)), window);
                compare(ours, peer, window == 1 ? Kind::echo_alone : Kind::echo_streamed, bytes);
                if (single && verb == "echo" && window > 1 && bytes == sizes[0]) {
                    ours.target.per_second = 300e3;
                }
                bench.report.add(std::move(ours));
            }
        }
    }
    return {};
}

}  // namespace

Result<void> immortal(Bench& bench) {
    const Spans spans{.warm_up = bench.span(500ms), .measured = bench.span(2s)};
    const Peer peer = US_TRY(measure_peer(bench, spans));
    const std::vector<ImmortalPair::Options> kinds{
        {.name = "local directory", .journal = "local"},
        {.name = "shared directory, 2 standbys", .journal = "shared", .standbys = 2},
        {.name = "replicated, 3 nodes", .journal = "group", .standbys = 2}};
    for (const ImmortalPair::Options& how : kinds) US_CHECK(measure(bench, how, peer, spans));
    return {};
}

/// Bound by: one processor: the checkpoint is read, checked, unpacked and put into a map. Estimate
/// before it was run: 300 MB/s, so 3.5 s.
Result<void> immortal_recovery(Bench& bench) {
    const std::size_t mebibytes = bench.tiny() ? 8 : 1024;
    const Place place = US_TRY(Place::make(bench.directory));
    const std::string nowhere = "127.0.0.1:" + std::to_string(platform::free_port());
    const Child::Options options{
        .command = {bench.helper("bench_immortal"), "server", "A", "local", place / "journal",
                    "127.0.0.1:0", nowhere, nowhere},
        .errors_file = place / "errors"};
    {
        Child member = US_TRY(Child::start(options));
        US_CHECK(member.line_with("opened ", answer_max));
        member.tell("fill " + std::to_string(mebibytes) + "\n");
        US_CHECK(member.line_with("filled", 5min));
        member.kill();
    }
    Child member = US_TRY(Child::start(options));
    const std::string said = US_TRY(member.line_with("opened ", 5min));
    const double seconds = std::stod(said.substr(7)) / 1000;
    bench.report.add({.what = "open an immortal after a kill, state of " +
                              std::to_string(mebibytes) + " MiB in rows of 1 KiB",
                      .amount = seconds,
                      .unit = "s",
                      .configuration = {{"state_mebibytes", mebibytes}}});
    return {};
}

}  // namespace understudy::bench
