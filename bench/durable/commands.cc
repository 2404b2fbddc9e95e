// How many durable commands per second does a service take, and how long does one wait?
//
// The caller submits to the active member in its own process; a command is answered when it is
// durable where its journal promises it and has been applied. One at a time, and 4,096 under way,
// by the public API. For comparison: one write and fdatasync of as many bytes on the same disk,
// which bounds one command at a time; and puts of etcd with one server, with 1 and with 1,000
// outstanding over one gRPC channel.
// Bound by: one at a time, the flush, and on three nodes two flushes side by side and two messages;
//   many at once, the processors: about 1 us for each command on the loop, another to answer it.
// Estimate before it was run: one at a time 0.8 of the bare flushes on one node, half on three;
//   many at once 500 k/s of 100 B on one node, 250 k/s of 1 KiB; on three nodes two thirds of that,
//   since three processes share two processors.
// Target: 0.85 of the floor one at a time, 1 KiB; 1 M and 250 k per second on one member.

#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "bench/calls/closed_loop.h"
#include "bench/durable/members.h"
#include "bench/harness/bench.h"
#include "bench/harness/fd.h"
#include "platform/free_port.h"

namespace understudy::bench {

namespace {

constexpr std::size_t full_window = 4096;
constexpr std::size_t sizes[] = {100, 1024};

struct Spans {
    Duration warm_up;
    Duration measured;
};

[[nodiscard]] std::string size_text(std::size_t bytes) {
    return bytes < KiB ? std::to_string(bytes) + " B" : std::to_string(bytes / KiB) + " KiB";
}

[[nodiscard]] Error system_error(const char* what) {
    return {.code = Errc::failed, .detail = std::string(what) + ": " + std::strerror(errno)};
}

/// Writes as a log does: one place after the other, in a file that was written before.
Result<Calls> flush_loop(const Bench& bench, std::size_t bytes, const Spans& spans) {
    constexpr std::size_t file_bytes = 16 * MiB;
    const Place place = US_TRY(Place::make(bench.directory));
    const Fd file(::open((place / "flushed").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const std::string zeros(MiB, '\0');
    for (std::size_t at = 0; at < file_bytes; at += zeros.size()) {
        if (::write(file.get(), zeros.data(), zeros.size()) < 0) return system_error("write");
    }
    if (::fsync(file.get()) != 0) return system_error("fsync");
    const std::string data(bytes, 'x');
    std::size_t at = 0;
    Calls calls = one_at_a_time(spans.warm_up, spans.measured, [&]() -> std::size_t {
        const bool wrote = ::pwrite(file.get(), data.data(), bytes, static_cast<off_t>(at)) ==
                           static_cast<ssize_t>(bytes);
        at = at + 2 * bytes > file_bytes ? 0 : at + bytes;
        return wrote && ::fdatasync(file.get()) == 0 ? bytes : 0;
    });
    if (calls.per_second <= 0) return system_error("fdatasync");
    return calls;
}

[[nodiscard]] std::string in_ms(Duration time) { return std::to_string(time / 1ms); }

Result<Calls> load(JournalMembers& members, std::size_t bytes, std::size_t outstanding,
                   const Spans& spans) {
    const std::string file = members.place() / "samples";
    members.active().tell("load " + std::to_string(bytes) + " " + std::to_string(outstanding) +
                          " " + in_ms(spans.warm_up) + " " + in_ms(spans.measured) + " " + file +
                          "\n");
    auto said = members.active().line_with("loaded ", spans.warm_up + spans.measured + answer_max);
    if (!said) {
        Error error = std::move(said).error();
        error.detail += "; " + last_lines(members.place() / "errors");
        return error;
    }
    return read_calls(said->substr(7), file);
}

[[nodiscard]] Row row(const std::string& who, std::size_t bytes, std::size_t outstanding,
                      const Calls& calls) {
    return {.what = who + ", " + size_text(bytes) +
                    (outstanding == 1 ? ", one at a time" : ", many at once"),
            .latency = calls.latency,
            .per_second = calls.per_second,
            .checksum = calls.checksum,
            .configuration = {{"command_bytes", bytes}, {"outstanding", outstanding}}};
}

using Figures = std::map<std::pair<std::size_t, std::size_t>, double>;  // Bytes, outstanding.

#ifdef BENCH_ETCD
Result<Figures> measure_etcd(Bench& bench, const Spans& spans) {
    const std::size_t window = bench.outstanding(full_window);
    Figures figures;
    if (!bench.with_peers) return figures;
    const Place place = US_TRY(Place::make(bench.directory));
    const std::string client = "127.0.0.1:" + std::to_string(platform::free_port());
    const std::string peer = "http://127.0.0.1:" + std::to_string(platform::free_port());
    auto server = Child::start(
        {.command = {"etcd", "--data-dir", place / "data", "--listen-client-urls",
                     "http://" + client, "--advertise-client-urls", "http://" + client,
                     "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                     "--initial-cluster", "default=" + peer, "--log-level", "error"},
         .errors_file = place / "errors"});
    if (!server) {
        bench.report.skip("etcd", "not installed: apt-get install etcd-server");
        return figures;
    }
    for (const std::size_t bytes : sizes) {
        for (const std::size_t outstanding : {std::size_t{1}, std::size_t{1000}}) {
            const std::string file = place / "samples";
            const std::string said = US_TRY(Child::run(
                {.command = {bench.helper("bench_etcd"), client, std::to_string(outstanding),
                             std::to_string(bytes), in_ms(spans.warm_up), in_ms(spans.measured),
                             file},
                 .errors_file = place / "errors"},
                spans.warm_up + spans.measured + answer_max));
            const Calls calls = US_TRY(read_calls(said, file));
            bench.report.add(row("etcd, 1 server", bytes, outstanding, calls));
            figures[{bytes, outstanding == 1 ? 1 : window}] = calls.per_second;
        }
    }
    return figures;
}
#else
Result<Figures> measure_etcd(Bench& bench, const Spans&) {
    bench.report.skip("etcd", "not built in: apt-get install libgrpc++-dev protobuf-compiler-grpc");
    return Figures{};
}
#endif

[[nodiscard]] std::optional<double> target_of(const Journaled& journaled, std::size_t bytes,
                                              std::size_t outstanding, const Figures& floor) {
    if (outstanding == 1) {
        if (journaled.members > 1 || bytes != sizes[1]) return std::nullopt;
        return 0.85 * floor.at({bytes, 1});
    }
    if (journaled.members > 1) {
        if (bytes != sizes[1] || journaled.kind != "group") return std::nullopt;
        return 250e3;
    }
    return bytes == sizes[0] ? 1e6 : 250e3;
}

}  // namespace

Result<void> durable(Bench& bench) {
    const Spans spans{.warm_up = bench.span(500ms), .measured = bench.span(2s)};
    Figures floor;
    for (const std::size_t bytes : sizes) {
        const Calls calls = US_TRY(flush_loop(bench, bytes, spans));
        bench.report.add(row("write + fdatasync", bytes, 1, calls));
        floor[{bytes, 1}] = calls.per_second;
    }
    const Figures etcd = US_TRY(measure_etcd(bench, spans));

    const std::size_t window = bench.outstanding(full_window);
    const std::vector<Journaled> kinds{
        {.name = "local directory", .kind = "local"},
        {.name = "shared directory, alone", .kind = "shared"},
        {.name = "shared directory, a standby", .kind = "shared", .members = 2},
        {.name = "replicated, 1 node", .kind = "group"},
        {.name = "replicated, 3 nodes", .kind = "group", .members = 3}};
    for (const Journaled& journaled : kinds) {
        JournalMembers members = US_TRY(JournalMembers::start(bench, journaled));
        for (const std::size_t bytes : sizes) {
            for (const std::size_t outstanding : {std::size_t{1}, window}) {
                const Calls calls = US_TRY(load(members, bytes, outstanding, spans));
                Row ours = row(journaled.name, bytes, outstanding, calls);
                ours.target.per_second = target_of(journaled, bytes, outstanding, floor);
                if (outstanding == 1) {
                    ours.beside.push_back({"fdatasync", calls.per_second / floor.at({bytes, 1})});
                }
                if (const auto found = etcd.find({bytes, outstanding}); found != etcd.end()) {
                    ours.beside.push_back({"etcd, 1 server", calls.per_second / found->second});
                }
                bench.report.add(std::move(ours));
            }
        }
    }
    return {};
}

}  // namespace understudy::bench
