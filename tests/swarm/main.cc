// understudy-sim: runs seeds of the simulated platform and prints what they find.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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
    std::vector<swarm::Scene> scenes = {swarm::Scene::platform};  ///< In turn.
};

int usage() {
    std::puts(
        "understudy-sim [--scene=SCENE] [--seed=N] [--seeds=N] [--chaos=SECONDS] [--seconds=WALL]\n"
        "               [--twice] [--trace] [--plant=BUG|all|platform|journals|quick]\n"
        "SCENE: platform (default), nodes, shared, replicated; journals: the last three in turn.\n"
        "Runs simulated platforms, one per seed; prints a REPRO line for each that breaks a\n"
        "promise and exits with 1. --twice also compares the traces of two runs of each seed.\n"
        "--trace prints every event. --plant needs the planted build (make sim).");
    return 2;
}

#ifdef US_PLANTS
struct Bug {
    const char* name;
    Plant plant;
    swarm::Scene scene;
    bool quick = false;  ///< Found so soon that every test run can show it.
};
// The same bug may show in several scenes. Shortcuts of the fencing protocol that lose an entry
// only between two disk calls of one job are found by journal/shared_planted_test.cc, which stops
// there.
constexpr Bug bugs[] = {
    {"no_stall_grace", Plant::no_stall_grace, swarm::Scene::platform},
    {"no_lease_check", Plant::no_lease_check, swarm::Scene::platform},
    {"last_in_line", Plant::last_in_line, swarm::Scene::platform},
    {"epoch_not_raised", Plant::epoch_not_raised, swarm::Scene::platform},
    {"forget_reported_epoch", Plant::forget_reported_epoch, swarm::Scene::platform},
    {"told_before_durable", Plant::told_before_durable, swarm::Scene::platform},
    {"proxy_ignores_epoch", Plant::proxy_ignores_epoch, swarm::Scene::platform},
    {"image_merges", Plant::image_merges, swarm::Scene::platform},
    {"delta_over_gap", Plant::delta_over_gap, swarm::Scene::platform},
    {"sent_call_retried", Plant::sent_call_retried, swarm::Scene::platform},
    {"watch_gap_ignored", Plant::watch_gap_ignored, swarm::Scene::platform},
    {"keeps_place", Plant::keeps_place, swarm::Scene::platform},
    {"told_before_durable", Plant::told_before_durable, swarm::Scene::shared, true},
    {"sync_retried", Plant::sync_retried, swarm::Scene::shared},
    {"shared_scan_before_publish", Plant::shared_scan_before_publish, swarm::Scene::shared, true},
    {"shared_no_seal", Plant::shared_no_seal, swarm::Scene::shared},
    {"shared_append_to_old", Plant::shared_append_to_old, swarm::Scene::shared, true},
    {"shared_no_directory_sync", Plant::shared_no_directory_sync, swarm::Scene::shared},
    {"reads_unconfirmed", Plant::reads_unconfirmed, swarm::Scene::shared},
    {"sessions_not_in_checkpoint", Plant::sessions_not_in_checkpoint, swarm::Scene::shared, true},
    {"reply_by_session", Plant::reply_by_session, swarm::Scene::shared, true},
    {"request_carried_out_again", Plant::request_carried_out_again, swarm::Scene::shared, true},
    {"abandoned_in_word_only", Plant::abandoned_in_word_only, swarm::Scene::shared},
    {"told_before_durable", Plant::told_before_durable, swarm::Scene::replicated, true},
    {"sync_retried", Plant::sync_retried, swarm::Scene::replicated},
    {"naive_host", Plant::naive_host, swarm::Scene::replicated},
    {"vote_not_kept", Plant::vote_not_kept, swarm::Scene::replicated},
    {"term_not_kept", Plant::term_not_kept, swarm::Scene::replicated},
    {"no_barrier", Plant::no_barrier, swarm::Scene::replicated, true},
    {"told_before_committed", Plant::told_before_committed, swarm::Scene::replicated, true},
    {"empty_disk_votes", Plant::empty_disk_votes, swarm::Scene::replicated},
    {"install_keeps_log", Plant::install_keeps_log, swarm::Scene::replicated},
    {"sessions_not_in_checkpoint", Plant::sessions_not_in_checkpoint, swarm::Scene::replicated},
    {"last_in_line", Plant::last_in_line, swarm::Scene::nodes},
    {"epoch_not_raised", Plant::epoch_not_raised, swarm::Scene::nodes, true},
};
#endif

struct Sum {
    std::uint64_t runs = 0, bad = 0, events = 0, promotions = 0, done = 0, refused = 0, unknown = 0,
                  changes = 0, faults = 0;
    Duration simulated{};
    std::string broken_first;
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
    if (!good && sum.broken_first.empty()) sum.broken_first = result.violations.front();
    if (!good && arguments.plant.empty()) {
        fmt::print("{}\n", result.tail);
        for (const std::string& violation : result.violations) fmt::print("  {}\n", violation);
        fmt::print("{}\n", result.repro);
    }
    if (!result.history.empty() && arguments.plant.empty()) {
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

#ifdef US_PLANTS
bool wanted(const Bug& bug, const std::string& plant) {
    if (plant == "all" || plant == bug.name) return true;
    if (plant == "platform") return bug.scene == swarm::Scene::platform;
    if (plant == "journals") return bug.scene != swarm::Scene::platform;
    return plant == "quick" && bug.quick;
}

/// What the child that hunts tells while it runs: an assertion may be what finds the bug.
struct Progress {
    std::uint64_t seed = 0;
    bool found = false;
    std::array<char, 100> why = {};  ///< The first promise that was broken.
};

/// Runs seeds until one breaks a promise.
void hunt_one(const Bug& bug, const Arguments& arguments, Progress& progress) {
    plant(bug.plant);
    Sum sum;
    for (std::uint64_t i = 0; i < arguments.seeds && !progress.found; ++i) {
        progress.seed = arguments.seed + i;
        progress.found = !run_one(progress.seed, bug.scene, arguments, sum);
        const std::size_t length = std::min(sum.broken_first.size(), progress.why.size() - 1);
        std::copy_n(sum.broken_first.begin(), length, progress.why.begin());
    }
}

/// Every planted bug must be found within `arguments.seeds` seeds.
int hunt(const Arguments& arguments) {
    void* const page =
        mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 1;
    auto* const progress = static_cast<Progress*>(page);
    std::size_t hunted = 0;
    std::size_t found = 0;
    fmt::print("{:<34} {:<11} {:>6}  {}\n", "planted bug", "scene", "seeds", "found by");
    for (const Bug& bug : bugs) {
        if (!wanted(bug, arguments.plant)) continue;
        ++hunted;
        *progress = {};
        std::fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(1);
            hunt_one(bug, arguments, *progress);
            _exit(0);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child) return 1;
        const bool asserted = WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
        const bool is_found = progress->found || asserted;
        found += is_found ? 1 : 0;
        if (is_found) {
            fmt::print("{:<34} {:<11} {:>6}  {}\n", bug.name, name(bug.scene),
                       progress->seed - arguments.seed + 1,
                       asserted ? "an assertion" : progress->why.data());
        } else {
            fmt::print("{:<34} {:<11} {:>6}  NOT FOUND\n", bug.name, name(bug.scene),
                       arguments.seeds);
        }
        std::fflush(stdout);
    }
    munmap(page, sizeof(Progress));
    fmt::print("{} of {} planted bugs found\n", found, hunted);
    return found == hunted && hunted > 0 ? 0 : 1;
}
#endif

bool read(std::string_view argument, std::string_view key, std::uint64_t& out) {
    if (!argument.starts_with(key)) return false;
    out = std::strtoull(std::string(argument.substr(key.size())).c_str(), nullptr, 10);
    return true;
}

std::vector<swarm::Scene> scenes_named(std::string_view wanted) {
    using swarm::Scene;
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
            read(argument, "--chaos=", arguments.chaos_s) ||
            read(argument, "--seconds=", arguments.seconds)) {
            continue;
        }
        if (argument == "--trace") {
            arguments.trace = true;
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
        // Each scene of a seed; a limit in time ends between seeds.
        for (const swarm::Scene scene : arguments.scenes) {
            (void)run_one(arguments.seed + i, scene, arguments, sum);
        }
    }
    const double simulated = std::chrono::duration<double>(sum.simulated).count();
    fmt::print(
        "{} runs from seed {}: {} bad; {:.2f} simulated hours in {:.1f} s ({:.0f}x), {} events, "
        "{} faults, {} promotions, {} changes, calls: {} done, {} refused, {} unknown\n",
        sum.runs, arguments.seed, sum.bad, simulated / 3600, wall(), simulated / wall(), sum.events,
        sum.faults, sum.promotions, sum.changes, sum.done, sum.refused, sum.unknown);
    return sum.bad == 0 ? 0 : 1;
}
