// understudy-sim: runs seeds of the simulated platform and prints the results.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "tests/swarm/hunt.h"
#include "tests/swarm/sometimes.h"
#include "tests/swarm/swarm.h"

namespace {

using namespace understudy;

/// After this many runs of a scene, each rare event must have happened.
constexpr std::uint64_t rare_seeds_min = 120;

struct Arguments {
    std::uint64_t seed = 1;
    std::uint64_t seeds = 1;
    std::vector<std::uint64_t> also;  ///< Additional seeds.
    std::uint64_t chaos_s = 30;
    std::uint64_t seconds = 0;  ///< Wall time; 0: as many seeds as requested.
    bool trace = false;
    bool twice = false;
    bool sometimes = false;  ///< Each rare event must have happened.
    std::string plant;
    std::uint64_t each_s = 300;  ///< Wall time for each planted bug.
    std::uint64_t jobs = 1;      ///< Planted bugs that are searched at the same time.
    std::vector<swarm::Scene> scenes = {swarm::Scene::platform};  ///< In turn.
};

int usage() {
    std::puts(
        "understudy-sim [--scene=SCENE] [--seed=N] [--seeds=N] [--also=N,N...] [--chaos=SECONDS]\n"
        "               [--seconds=WALL] [--twice] [--trace] [--sometimes]\n"
        "understudy-sim --plant=BUG|all|platform|journals|quick [--seed=N] [--seeds=N]\n"
        "               [--chaos=SECONDS] [--each=WALL] [--jobs=N]\n"
        "SCENE: platform (default), nodes, shared, replicated; journals: the last three in turn;\n"
        "all: all of them.\n"
        "Runs simulated platforms, one per seed; prints a REPRO line for each that breaks a\n"
        "promise and exits with 1. --twice also compares the traces of two runs of each seed.\n"
        "--trace prints every event. --sometimes fails if a rare thing that must happen never "
        "did.\n"
        "--plant switches on one bug after the other, until it is found or --each is over.");
    return 2;
}

struct Sum {
    std::uint64_t runs = 0, bad = 0, events = 0, promotions = 0, done = 0, refused = 0, unknown = 0,
                  changes = 0, faults = 0;
    Duration simulated{};
    std::map<std::pair<swarm::Scene, std::string>, std::uint64_t> rare;
};

bool run_one(std::uint64_t seed, swarm::Scene scene, const Arguments& arguments, Sum& sum) {
    swarm::SwarmOptions options{
        .seed = seed, .scene = scene, .chaos = std::chrono::seconds(arguments.chaos_s)};
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
    for (const auto& [what, times] : result.rare) sum.rare[{scene, what}] += times;
    if (!good) {
        fmt::print("{}\n", result.tail);
        for (const std::string& violation : result.violations) fmt::print("  {}\n", violation);
        fmt::print("{}\n", result.repro);
    }
    if (!result.history.empty()) {
        const std::string file = fmt::format("understudy-sim-{}-{}.jsonl", name(scene), seed);
        std::ofstream(file) << result.history;
        fmt::print("  what clients saw: {}\n", file);
    }
    if (arguments.twice && swarm::run_swarm(options).trace_hash != result.trace_hash) {
        fmt::print("seed {} does not give the same trace twice\n{}\n", seed, result.repro);
        good = false;
    }
    if (!good) ++sum.bad;
    return good;
}

bool read(std::string_view argument, std::string_view key, std::uint64_t& out) {
    if (!argument.starts_with(key)) return false;
    out = std::strtoull(std::string(argument.substr(key.size())).c_str(), nullptr, 10);
    return true;
}

bool read(std::string_view argument, std::string_view key, std::vector<std::uint64_t>& out) {
    if (!argument.starts_with(key)) return false;
    argument.remove_prefix(key.size());
    while (!argument.empty()) {
        const std::size_t end = std::min(argument.find(','), argument.size());
        out.push_back(std::strtoull(std::string(argument.substr(0, end)).c_str(), nullptr, 10));
        argument.remove_prefix(std::min(end + 1, argument.size()));
    }
    return true;
}

/// Prints how often rare events happened; false if a required one never did.
bool print_rare(const Sum& sum, const Arguments& arguments) {
    bool all = true;
    for (const swarm::Scene scene : arguments.scenes) {
        fmt::print("{}, sometimes:\n", name(scene));
        for (const auto& [what, times] : sum.rare) {
            if (what.first == scene) fmt::print("  {:>8}  {}\n", times, what.second);
        }
        for (const std::string_view what : swarm::must_happen(scene)) {
            if (sum.rare.contains({scene, std::string(what)})) continue;
            fmt::print("     NEVER  {}\n", what);
            all = false;
        }
    }
    return all;
}

std::vector<swarm::Scene> scenes_named(std::string_view wanted) {
    using swarm::Scene;
    if (wanted == "all") {
        return {Scene::platform, Scene::shared, Scene::replicated, Scene::nodes};
    }
    if (wanted == "journals") return {Scene::shared, Scene::replicated, Scene::nodes};
    for (std::size_t i = 0; i < swarm::scene_count; ++i) {
        if (name(static_cast<Scene>(i)) == wanted) return {static_cast<Scene>(i)};
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (read(argument, "--seed=", arguments.seed) ||
            read(argument, "--seeds=", arguments.seeds) ||
            read(argument, "--also=", arguments.also) ||
            read(argument, "--chaos=", arguments.chaos_s) ||
            read(argument, "--seconds=", arguments.seconds) ||
            read(argument, "--each=", arguments.each_s) ||
            read(argument, "--jobs=", arguments.jobs)) {
            continue;
        }
        if (argument == "--trace") {
            arguments.trace = true;
        } else if (argument == "--sometimes") {
            arguments.sometimes = true;
        } else if (argument == "--twice") {
            arguments.twice = true;
        } else if (argument.starts_with("--scene=")) {
            arguments.scenes = scenes_named(argument.substr(8));
            if (arguments.scenes.empty()) return usage();
        } else if (argument.starts_with("--plant=")) {
            arguments.plant = argument.substr(8);
        } else {
            return usage();
        }
    }
    if (!arguments.plant.empty()) {
#ifdef US_PLANTS
        return swarm::hunt({.bugs = arguments.plant,
                            .seed = arguments.seed,
                            .seeds = arguments.seeds,
                            .chaos = std::chrono::seconds(arguments.chaos_s),
                            .wall = std::chrono::seconds(arguments.each_s),
                            .jobs = arguments.jobs});
#else
        return usage();
#endif
    }

    const auto begin = std::chrono::steady_clock::now();
    const auto wall = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    Sum sum;
    const std::uint64_t seeds_min = arguments.sometimes ? rare_seeds_min : 0;
    const auto wanted = [&](std::uint64_t done) {
        if (arguments.seconds == 0) return done < arguments.seeds;
        return done < seeds_min || wall() < double(arguments.seconds);
    };
    // Runs each scene of a seed; a time limit takes effect between seeds.
    const auto run_seed = [&](std::uint64_t seed) {
        for (const swarm::Scene scene : arguments.scenes) {
            (void)run_one(seed, scene, arguments, sum);
        }
    };
    for (std::uint64_t i = 0; wanted(i); ++i) run_seed(arguments.seed + i);
    for (const std::uint64_t seed : arguments.also) run_seed(seed);
    const double simulated = std::chrono::duration<double>(sum.simulated).count();
    fmt::print(
        "{} runs from seed {}: {} bad; {:.2f} simulated hours in {:.1f} s ({:.0f}x), {} events, "
        "{} faults, {} promotions, {} changes, calls: {} done, {} refused, {} unknown\n",
        sum.runs, arguments.seed, sum.bad, simulated / 3600, wall(), simulated / wall(), sum.events,
        sum.faults, sum.promotions, sum.changes, sum.done, sum.refused, sum.unknown);
    const bool all_happened = print_rare(sum, arguments);
    return sum.bad == 0 && (all_happened || !arguments.sometimes) ? 0 : 1;
}
