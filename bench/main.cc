// understudy-bench: real processes, real kills, real sockets; one line of JSON per figure and a
// table at the end. docs/benchmarks.md says how to read it.

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <signal.h>
#include <stdlib.h>

#include "bench/harness/bench.h"

namespace understudy::bench {

namespace {

struct Entry {
    std::string_view name;
    Result<void> (*run)(Bench&);
};

constexpr Entry entries[] = {
    {"floors", floors},
    {"footprint", footprint},
    {"failover_kill", failover_kill},
    {"failover_stop", failover_stop},
    {"failover_cut", failover_cut},
    {"switchover", switchover},
    {"rpc", rpc},
    {"records", records},
    {"durable", durable},
    {"durable_groups", groups},
    {"failover_journal", failover_journal},
    {"recovery", recovery},
    {"immortal", immortal},
    {"immortal_recovery", immortal_recovery},
    {"immortal_checkpointer", immortal_checkpointer},
    {"immortal_coordinator", immortal_coordinator},
};

struct Options {
    std::vector<std::string> wanted;
    std::string program = "understudy";
    std::string directory = ".";
    std::string commit = "unknown";
    std::string results;
    Size size = Size::full;
    bool with_peers = true;
    bool exactly = false;
    int stretch = 1;
    std::size_t rounds = 0;
};

[[noreturn]] void usage(int code) {
    std::fputs(
        "usage: understudy-bench [OPTION...] [NAME...]\n"
        "  NAME            a benchmark, or the beginning of several: failover\n"
        "  --program FILE  the program understudy\n"
        "  --directory DIR where files may be made, on the disk to measure\n"
        "  --exactly       a name is that of one benchmark, and of no longer ones\n"
        "  --tiny          every step, a few times: a test of the benchmarks\n"
        "  --rounds N      failovers of each kind\n"
        "  --ours-alone    nobody else is measured beside\n"
        "  --stretch N     measures N times as long, to profile\n"
        "  --commit TEXT   goes into the output\n"
        "  --results FILE  gets the lines of JSON too\n"
        "names:",
        code == 0 ? stdout : stderr);
    for (const Entry& entry : entries) {
        std::fprintf(code == 0 ? stdout : stderr, " %s", entry.name.data());
    }
    std::fputs("\n", code == 0 ? stdout : stderr);
    std::exit(code);
}

template <class Number>
void take_number(std::string_view text, Number& number) {
    const char* const end = text.data() + text.size();
    if (std::from_chars(text.data(), end, number).ptr != end) usage(2);
}

[[nodiscard]] Options parse(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = arguments[i];
        const auto value = [&]() -> std::string_view {
            if (i + 1 >= count) usage(2);
            return arguments[++i];
        };
        if (word == "--help") usage(0);
        if (word == "--program") {
            options.program = value();
        } else if (word == "--directory") {
            options.directory = value();
        } else if (word == "--commit") {
            options.commit = value();
        } else if (word == "--results") {
            options.results = value();
        } else if (word == "--tiny") {
            options.size = Size::tiny;
        } else if (word == "--exactly") {
            options.exactly = true;
        } else if (word == "--ours-alone") {
            options.with_peers = false;
        } else if (word == "--rounds") {
            take_number(value(), options.rounds);
        } else if (word == "--stretch") {
            take_number(value(), options.stretch);
        } else if (word.starts_with("-")) {
            usage(2);
        } else {
            options.wanted.emplace_back(word);
        }
    }
    for (const std::string& wanted : options.wanted) {
        bool known = false;
        for (const Entry& entry : entries) known = known || entry.name.starts_with(wanted);
        if (!known) usage(2);
    }
    return options;
}

[[nodiscard]] bool is_wanted(const Options& options, std::string_view name) {
    for (const std::string& wanted : options.wanted) {
        if (options.exactly ? name == wanted : name.starts_with(wanted)) return true;
    }
    return options.wanted.empty();
}

[[nodiscard]] int run(const Options& options) {
    Report report({.commit = options.commit,
                   .size = options.size == Size::tiny ? "tiny" : "full",
                   .directory = options.directory,
                   .results = options.results});
    Bench bench{.report = report,
                .size = options.size,
                .with_peers = options.with_peers,
                .stretch = options.stretch,
                .rounds = options.rounds,
                .program = options.program,
                .helpers = std::filesystem::read_symlink("/proc/self/exe").parent_path(),
                .directory = options.directory};
    int failures = 0;
    for (const Entry& entry : entries) {
        if (!is_wanted(options, entry.name)) continue;
        report.begin(entry.name);
        if (const auto done = entry.run(bench); !done) {
            const std::string why = to_string(done.error());
            std::fprintf(stderr, "%s failed: %s\n", entry.name.data(), why.c_str());
            report.fail(why);
            ++failures;
        }
    }
    report.print_table();
    return failures == 0 ? 0 : 1;
}

}  // namespace

}  // namespace understudy::bench

int main(int count, char** arguments) {
    ::signal(SIGPIPE, SIG_IGN);  // The reader notices a child that has died.
    // nft, ip and mosquitto are in directories that only root searches by default.
    const char* path = std::getenv("PATH");
    ::setenv("PATH", (std::string(path == nullptr ? "" : path) + ":/usr/sbin:/sbin").c_str(), 1);
    return understudy::bench::run(understudy::bench::parse(count, arguments));
}
