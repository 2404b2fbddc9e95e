// What does it cost if the application of an immortal is a separate process?
//
// Two immortals, each on a journal in a local directory. They are measured linked into one process
// with it, and beside a coordinator that uses the local protocol. One option selects this for the
// same class. Measured are one-way calls and echoes between them, echoes by a client's session, one
// at a time and streamed, and the processor time of all processes of a service per million calls.
// Bound by: one at a time, two more hops between processes at each end; streamed, the processors:
//   each call is encoded, copied through a socket and decoded twice more, and so is what it makes.
// Estimate before it was run: streamed 0.4 of linked, one at a time 0.7; twice the processor time.

#include <map>
#include <string>
#include <utility>

#include "bench/harness/bench.h"
#include "bench/immortal/load.h"
#include "bench/immortal/pair.h"

namespace understudy::bench {

namespace {

constexpr double per_million = 1e6;

/// For each measurement: the result with a linked application, per second and in seconds per
/// million calls.
struct Linked {
    double per_second = 0;
    double server = 0;
    double client = 0;
};
using LinkedRows = std::map<std::string, Linked>;

/// Measures with `load`, and the processor time for each call.
template <class Load>
Result<Row> measure(ImmortalPair& pair, Load&& load) {
    const ImmortalPair::Count before = US_TRY(pair.count());
    const ImmortalPair::Used used_before = US_TRY(pair.used());
    const Calls calls = US_TRY(load());
    const ImmortalPair::Used used = US_TRY(pair.used());
    const auto made = static_cast<double>(US_TRY(pair.count()).calls - before.calls) / per_million;
    Row row;
    row.latency = calls.latency;
    row.per_second = calls.per_second;
    row.checksum = calls.checksum;
    row.configuration = {
        {"server_seconds_per_million", (used.server - used_before.server) / made},
        {"client_seconds_per_million", (used.client - used_before.client) / made}};
    return row;
}

void report(Bench& bench, const ImmortalPair::Options& how, const std::string& what, Row row,
            LinkedRows& linked) {
    const auto setting = [&](std::size_t which) {
        return std::get<double>(row.configuration[which].second.value);
    };
    const Linked now{.per_second = *row.per_second, .server = setting(0), .client = setting(1)};
    const auto cost = [&](const char* whose, double seconds, double of_linked) {
        Row one{.what = how.name + ", " + what + ": processor time of the " + whose +
                        " per million calls",
                .amount = seconds,
                .unit = "s"};
        if (of_linked > 0) one.beside.push_back({"linked", of_linked / seconds});
        bench.report.add(std::move(one));
    };
    const Linked base = how.coordinator ? linked[what] : Linked{};
    if (!how.coordinator) linked[what] = now;
    row.what = how.name + ", " + what;
    if (base.per_second > 0) row.beside.push_back({"linked", now.per_second / base.per_second});
    const bool streamed = what.find("one at a time") == std::string::npos;
    bench.report.add(std::move(row));
    if (!streamed) return;
    cost("server", now.server, base.server);
    cost("client", now.client, base.client);
}

}  // namespace

Result<void> immortal_coordinator(Bench& bench) {
    const Spans spans{.warm_up = bench.span(500ms), .measured = bench.span(2s)};
    const std::vector<ImmortalPair::Options> kinds{
        {.name = "linked", .journal = "local"},
        {.name = "beside a coordinator", .journal = "local", .coordinator = true}};
    LinkedRows linked;
    for (const ImmortalPair::Options& how : kinds) {
        ImmortalPair pair = US_TRY(ImmortalPair::start(bench, how));
        for (const std::size_t bytes : {std::size_t{16}, std::size_t{1024}}) {
            Row row = US_TRY(measure(pair, [&] { return one_way(pair, bytes, spans); }));
            report(bench, how, "one-way, " + size_text(bytes), std::move(row), linked);
        }
        for (const std::string verb : {"echo", "session"}) {
            for (const std::size_t bytes : {std::size_t{16}, std::size_t{1024}}) {
                for (const std::size_t window :
                     {std::size_t{1}, bench.outstanding(window_of(bytes))}) {
                    Row row = US_TRY(
                        measure(pair, [&] { return echo(pair, verb, bytes, window, spans); }));
                    const std::string what =
                        (verb == "echo" ? "echo, " : "echo by a session, ") + size_text(bytes) +
                        (window == 1 ? ", one at a time"
                                     : ", " + std::to_string(window) + " outstanding");
                    report(bench, how, what, std::move(row), linked);
                }
            }
        }
    }
    return {};
}

}  // namespace understudy::bench
