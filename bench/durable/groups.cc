// What do many services on three nodes cost, compared with one? Hundreds of groups share one log,
// one flush, and one connection for each pair of nodes.
//
// Three processes, one node in each; the load comes from within the process of each active member,
// without the public API's threads. With one group all of it is in one process.
// Bound by: the processors; with 300 groups each turn has many small writes of many groups.
// Estimate before it was run: 300 groups half of one group's commands of 100 B, since a round of
//   each carries fewer commands.

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bench/harness/bench.h"
#include "bench/harness/child.h"
#include "bench/harness/place.h"
#include "platform/free_port.h"

namespace understudy::bench {

namespace {

constexpr std::size_t nodes_count = 3;
constexpr std::size_t outstanding = 4096;
constexpr Duration ready_max = 60s;

struct Nodes {
    Place place;  // First, because the processes must end before their directory is removed.
    std::vector<Child> children;
};

Result<Nodes> start(const Bench& bench, std::size_t groups) {
    Nodes nodes{.place = US_TRY(Place::make(bench.directory)), .children = {}};
    const auto name_of = [](std::size_t i) { return std::string(1, static_cast<char>('a' + i)); };
    std::string addresses;
    for (std::size_t i = 0; i < nodes_count; ++i) {
        const std::uint16_t port = platform::free_port();
        addresses += (i == 0 ? "" : ",") + name_of(i) + "=127.0.0.1:" + std::to_string(port);
    }
    for (std::size_t i = 0; i < nodes_count; ++i) {
        auto child = Child::start({.command = {bench.helper("bench_groups"),
                                               nodes.place / name_of(i), name_of(i), addresses,
                                               std::to_string(groups)},
                                   .errors_file = nodes.place / "errors"});
        if (!child) return std::move(child).error();
        nodes.children.push_back(*std::move(child));
    }
    for (Child& child : nodes.children) {
        if (auto ready = child.line_with("ready", ready_max); !ready) {
            Error error = std::move(ready).error();
            error.detail += "; " + last_lines(nodes.place / "errors");
            return error;
        }
    }
    return nodes;
}

}  // namespace

Result<void> groups(Bench& bench) {
    if (!std::filesystem::exists(bench.helper("bench_groups"))) {
        bench.report.skip("3 nodes", "built without the replicated journal");
        return {};
    }
    const Duration warm_up = bench.span(500ms);
    const Duration measured = bench.span(2s);
    std::map<std::size_t, double> of_one;  // By the size of a command.
    for (const std::size_t count : {std::size_t{1}, std::size_t{300}}) {
        Nodes nodes = US_TRY(start(bench, count));
        const std::size_t window = std::max<std::size_t>(1, bench.outstanding(outstanding) / count);
        for (const std::size_t bytes : {std::size_t{100}, std::size_t{1024}}) {
            for (std::size_t i = 0; i < nodes_count; ++i) {
                nodes.children[i].tell("load " + std::to_string(bytes) + " " +
                                       std::to_string(window) + " " +
                                       std::to_string(warm_up / 1ms) + " " +
                                       std::to_string(measured / 1ms) + " " +
                                       (nodes.place / std::to_string(i)) + "\n");
            }
            Row row{.what = "3 nodes, " + std::to_string(count) +
                            (count == 1 ? " group, " : " groups, ") + std::to_string(bytes) +
                            " B, many at once"};
            double per_second = 0;
            for (std::size_t i = 0; i < nodes_count; ++i) {
                const std::string said = US_TRY(
                    nodes.children[i].line_with("loaded ", warm_up + measured + answer_max));
                std::size_t end = 0;
                per_second += std::stod(said.substr(7), &end);
                row.checksum ^= std::stoull(said.substr(7 + end));
                row.latency.add(US_TRY(Samples::read(nodes.place / std::to_string(i))));
            }
            row.configuration = {{"groups", count}, {"command_bytes", bytes},
                                 {"outstanding", window * count}};
            row.per_second = per_second;
            const auto [one, first] = of_one.emplace(bytes, per_second);
            if (!first) row.beside.push_back({"1 group", per_second / one->second});
            bench.report.add(std::move(row));
        }
    }
    return {};
}

}  // namespace understudy::bench
