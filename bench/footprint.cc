// What does an idle registry cost, and how soon does it serve?
//
// Measured from just before its start until its port accepts a connection, in the same way for all
// programs; then its resident memory after a short pause. The registry with TLS too. `understudy
// --version` shows the cost of starting the program alone.
// Bound by: the dynamic linker (libstdc++, OpenSSL, protobuf: 10 ms), page faults, one flush of a
//   new journal.
// Estimate before it was run: 20 ms to ready, 9 MB; 12 MB with TLS; 6 ms for --version.
// Target: 30 ms, 10 MB (14 with TLS).

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <unistd.h>

#include "bench/harness/bench.h"
#include "bench/harness/checksum.h"
#include "bench/harness/child.h"
#include "bench/harness/clock.h"
#include "bench/harness/place.h"
#include "bench/harness/process.h"
#include "platform/free_port.h"

namespace understudy::bench {

namespace {

struct Memory {
    double resident_mb = 0;
    double own_mb = 0;  ///< Without the memory that it shares with other programs.
};

[[nodiscard]] Memory memory_of(pid_t process) {
    const std::string folder = "/proc/" + std::to_string(process);
    return {.resident_mb = field_mb(folder + "/status", "VmRSS:"),
            .own_mb = field_mb(folder + "/smaps_rollup", "Pss:")};
}

struct Footprint {
    Samples start;
    Memory memory;  // Of the last run.
};

struct Measured {
    std::string name;
    Footprint footprint;
};

/// A program that listens: its command line for a port and a new directory.
struct Program {
    std::string name;
    std::function<std::vector<std::string>(std::uint16_t port, const Place& place)> command;
};

Result<Footprint> measure(Bench& bench, const Program& program, std::size_t starts) {
    constexpr Duration rest = 200ms;
    Footprint found;
    for (std::size_t i = 0; i < starts; ++i) {
        const Place place = US_TRY(Place::make(bench.directory));
        const std::uint16_t port = platform::free_port();
        const auto command = program.command(port, place);
        const TimePoint before = now();
        Child child = US_TRY(Child::start({.command = command, .errors_file = place / "errors"}));
        if (auto ready = wait_accepts(port, 10s); !ready) {
            Error error = std::move(ready).error();
            error.detail += "; " + program.name + ": " + last_lines(place / "errors");
            return error;
        }
        found.start.add(now() - before);
        if (i + 1 == starts) {
            pause_for(rest);
            found.memory = memory_of(child.pid());
        }
    }
    return found;
}

[[nodiscard]] Program registry(const Bench& bench, const std::vector<std::string>& more) {
    return {.name = more.empty() ? "registry" : "registry with TLS",
            .command = [&bench, more](std::uint16_t port, const Place& place) {
                std::vector<std::string> command = {
                    bench.program, "registry",
                    "--listen",    "127.0.0.1:" + std::to_string(port),
                    "--data",      place / "registry"};
                command.insert(command.end(), more.begin(), more.end());
                return command;
            }};
}

[[nodiscard]] std::vector<Program> peers() {
    return {
        {"mosquitto",
         [](std::uint16_t port, const Place& place) {
             (void)write_file(place / "mosquitto.conf",
                              "listener " + std::to_string(port) +
                                  " 127.0.0.1\nallow_anonymous true\npersistence false\n");
             return std::vector<std::string>{"mosquitto", "-c", place / "mosquitto.conf"};
         }},
        {"redis-server",
         [](std::uint16_t port, const Place& place) {
             return std::vector<std::string>{
                 "redis-server", "--port", std::to_string(port), "--bind", "127.0.0.1",
                 "--save",       "",       "--appendonly",       "no",     "--dir",
                 place.path()};
         }},
    };
}

/// A self-signed certificate for both ends. Errors: failed (none): there is no openssl program.
Result<std::vector<std::string>> make_certificate(const Place& place) {
    const std::string certificate = place / "certificate.pem";
    const std::string key = place / "key.pem";
    (void)US_TRY(Child::run(
        {.command = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                     "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate},
         .errors_file = place / "openssl.errors"}));
    return std::vector<std::string>{"--tls-cert", certificate, "--tls-key",
                                    key,          "--tls-ca",  certificate};
}

Result<void> version(Bench& bench, std::size_t starts) {
    Samples times;
    Checksum checksum;
    for (std::size_t i = 0; i < starts; ++i) {
        const TimePoint before = now();
        checksum.add(US_TRY(Child::run({.command = {bench.program, "--version"}})));
        times.add(now() - before);
    }
    bench.report.add(
        {.what = "understudy --version", .latency = times, .checksum = checksum.value()});
    return {};
}

/// How many times more each other system needs.
[[nodiscard]] std::vector<Beside> beside(const std::vector<Measured>& peers, double ours,
                                         double (*amount)(const Footprint&)) {
    std::vector<Beside> found;
    for (const Measured& peer : peers) found.push_back({peer.name, amount(peer.footprint) / ours});
    return found;
}

void report(Bench& bench, const Measured& one, const std::vector<Measured>& peers,
            const Target& start, const Target& memory) {
    const auto start_of = [](const Footprint& found) { return in_seconds(found.start.at(0.5)); };
    const auto memory_of = [](const Footprint& found) { return found.memory.resident_mb; };
    const Footprint& found = one.footprint;
    Checksum checksum;
    checksum.add(found.start.count());
    bench.report.add({.what = one.name + ", start to ready",
                      .latency = found.start,
                      .target = start,
                      .beside = beside(peers, start_of(found), start_of),
                      .checksum = checksum.value(),
                      .configuration = {{"starts", found.start.count()}}});
    bench.report.add({.what = one.name + ", resident memory",
                      .amount = found.memory.resident_mb,
                      .unit = "MB",
                      .target = memory,
                      .beside = beside(peers, memory_of(found), memory_of),
                      .checksum = checksum.value(),
                      .configuration = {{"proportional_mb", found.memory.own_mb}}});
}

}  // namespace

Result<void> footprint(Bench& bench) {
    const std::size_t starts = bench.tiny() ? 2 : 30;
    std::vector<Measured> others;
    for (const Program& peer : peers()) {
        if (!bench.with_peers) break;
        auto found = measure(bench, peer, starts);
        if (!found) {
            bench.report.skip(peer.name, "not installed, or it does not start");
            continue;
        }
        others.push_back({peer.name, *std::move(found)});
        report(bench, others.back(), {}, {}, {});
    }
    const Program plain = registry(bench, {});
    report(bench, {plain.name, US_TRY(measure(bench, plain, starts))}, others, {.p50 = 30ms},
           {.most = 10});
    const Place place = US_TRY(Place::make(bench.directory));
    if (const auto options = make_certificate(place)) {
        const Program secure = registry(bench, *options);
        report(bench, {secure.name, US_TRY(measure(bench, secure, starts))}, {}, {}, {.most = 14});
    } else {
        bench.report.skip("registry with TLS", to_string(options.error()));
    }
    return version(bench, starts);
}

}  // namespace understudy::bench
