// understudy-sim: runs seeds of the simulated platform and prints what they find.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/plant.h"
#include "tests/swarm/swarm.h"

namespace {

using namespace understudy;

struct Arguments {
    std::uint64_t seed = 1;
    std::uint64_t seeds = 1;
    std::uint64_t chaos_s = 30;
    std::uint64_t seconds = 0;  ///< Wall time; 0: as many seeds as asked.
    bool trace = false;
    bool twice = false;
    std::string plant;
};

int usage() {
    std::puts(
        "understudy-sim [--seed=N] [--seeds=N] [--chaos=SECONDS] [--seconds=WALL] [--twice]\n"
        "               [--trace] [--plant=BUG|all]\n"
        "Runs simulated platforms, one per seed; prints a REPRO line for each that breaks a\n"
        "promise and exits with 1. --twice also compares the traces of two runs of each seed.\n"
        "--trace prints every event. --plant needs the planted build (make sim-plants).");
    return 2;
}

#ifdef US_PLANTS
const std::map<std::string, Plant>& plants() {
    static const std::map<std::string, Plant> all = {
        {"no_stall_grace", Plant::no_stall_grace},
        {"no_lease_check", Plant::no_lease_check},
        {"last_in_line", Plant::last_in_line},
        {"epoch_not_raised", Plant::epoch_not_raised},
        {"forget_reported_epoch", Plant::forget_reported_epoch},
        {"told_before_durable", Plant::told_before_durable},
        {"proxy_ignores_epoch", Plant::proxy_ignores_epoch},
        {"image_merges", Plant::image_merges},
        {"delta_over_gap", Plant::delta_over_gap},
        {"sent_call_retried", Plant::sent_call_retried},
        {"watch_gap_ignored", Plant::watch_gap_ignored},
        {"keeps_place", Plant::keeps_place},
    };
    return all;
}
#endif

struct Sum {
    std::uint64_t runs = 0, bad = 0, events = 0, promotions = 0, done = 0, refused = 0, unknown = 0,
                  changes = 0, faults = 0;
    Duration simulated{};
};

bool run_one(std::uint64_t seed, const Arguments& arguments, Sum& sum) {
    swarm::SwarmOptions options{.seed = seed, .chaos = std::chrono::seconds(arguments.chaos_s)};
    if (arguments.trace) {
        options.sink = [](std::string_view line) {
            std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
        };
    }
    const swarm::SwarmResult result = swarm::run_swarm(options);
    ++sum.runs;
    sum.events += result.events;
    sum.promotions += result.promotions;
    sum.done += result.calls_done;
    sum.refused += result.calls_refused;
    sum.unknown += result.calls_unknown;
    sum.changes += result.changes;
    sum.faults += result.faults;
    sum.simulated += result.simulated;
    bool good = result.violations.empty();
    if (!good && arguments.plant.empty()) {
        fmt::print("{}\n", result.tail);
        for (const std::string& violation : result.violations) fmt::print("  {}\n", violation);
        fmt::print("{}\n", result.repro);
    }
    if (arguments.twice && swarm::run_swarm(options).trace_hash != result.trace_hash) {
        fmt::print("seed {} does not give the same trace twice\n{}\n", seed, result.repro);
        good = false;
    }
    if (!good) ++sum.bad;
    return good;
}

#ifdef US_PLANTS
/// Every planted bug must be found within `arguments.seeds` seeds.
int hunt(const Arguments& arguments) {
    bool all_found = true;
    for (const auto& [name, bug] : plants()) {
        if (arguments.plant != "all" && arguments.plant != name) continue;
        plant(bug);
        Sum sum;
        std::uint64_t needed = 0;
        for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.seeds; ++seed) {
            if (!run_one(seed, arguments, sum)) {
                needed = seed - arguments.seed + 1;
                break;
            }
        }
        plant(Plant::none);
        if (needed == 0) {
            all_found = false;
            fmt::print("planted {:<24} NOT FOUND in {} seeds\n", name, arguments.seeds);
        } else {
            fmt::print("planted {:<24} found after {} seeds\n", name, needed);
        }
        std::fflush(stdout);
    }
    return all_found ? 0 : 1;
}
#endif

bool read(std::string_view argument, std::string_view key, std::uint64_t& out) {
    if (!argument.starts_with(key)) return false;
    out = std::strtoull(std::string(argument.substr(key.size())).c_str(), nullptr, 10);
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (read(argument, "--seed=", arguments.seed) ||
            read(argument, "--seeds=", arguments.seeds) ||
            read(argument, "--chaos=", arguments.chaos_s) ||
            read(argument, "--seconds=", arguments.seconds)) {
            continue;
        }
        if (argument == "--trace") {
            arguments.trace = true;
        } else if (argument == "--twice") {
            arguments.twice = true;
        } else if (argument.starts_with("--plant=")) {
            arguments.plant = argument.substr(8);
        } else {
            return usage();
        }
    }
    if (!arguments.plant.empty()) {
#ifdef US_PLANTS
        return hunt(arguments);
#else
        return usage();
#endif
    }

    const auto begin = std::chrono::steady_clock::now();
    const auto wall = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    Sum sum;
    for (std::uint64_t i = 0;
         arguments.seconds > 0 ? wall() < double(arguments.seconds) : i < arguments.seeds; ++i) {
        (void)run_one(arguments.seed + i, arguments, sum);
    }
    const double simulated = std::chrono::duration<double>(sum.simulated).count();
    fmt::print(
        "{} seeds from {}: {} bad; {:.2f} simulated hours in {:.1f} s ({:.0f}x), {} events, "
        "{} faults, {} promotions, {} changes heard, calls: {} done, {} refused, {} unknown\n",
        sum.runs, arguments.seed, sum.bad, simulated / 3600, wall(), simulated / wall(), sum.events,
        sum.faults, sum.promotions, sum.changes, sum.done, sum.refused, sum.unknown);
    return sum.bad == 0 ? 0 : 1;
}
