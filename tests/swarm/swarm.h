#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "understudy/types.h"

namespace understudy::swarm {

/// So long it may take until all is well again, once the faults are over.
inline constexpr Duration heal_limit = 60s;

/// Which faults a run may have. Leaving some out finds more than running all of them always.
struct Faults {
    bool crash = false;  ///< kill -9 of members, clients, registry.
    bool pause = false;  ///< SIGSTOP for longer than a lease.
    bool cut = false;    ///< Silent cuts between nodes, both ways.
    bool cut_one_way = false;
    bool reset = false;       ///< Connections that break.
    bool delay = false;       ///< Long tails.
    bool power = false;       ///< Whole nodes, with loss of what was not synced.
    bool disk_error = false;  ///< Failing writes and syncs under the registry.
    bool disk_full = false;
    bool wall_jump = false;
    bool drift = false;
    bool slow = false;              ///< Starved processes.
    bool registry_emptied = false;  ///< The registry comes back without its data.
    bool switchovers = false;       ///< Clients ask for them.
    bool big = false;               ///< Changes so big that links fill up.
    bool rot = false;               ///< A bit on the disk of one node of a registry of several.
    /// Only members and clients die, one at a time, with time to recover in between: then each
    /// promotion must be that of the earliest in line.
    bool gentle = false;
    /// Only the registry is stopped and continued: then nobody may lose a role at all.
    bool sleepy_registry = false;
};

/// What runs in a simulated world.
enum class Scene : std::uint8_t {
    platform,    ///< One registry, members, clients.
    nodes,       ///< The same with a registry of three nodes.
    shared,      ///< A service whose journal is in a directory that its members mount.
    replicated,  ///< A service whose journal a majority of its members keeps.
};
inline constexpr std::size_t scene_count = 4;
[[nodiscard]] std::string_view name(Scene scene);

struct SwarmOptions {
    std::uint64_t seed = 1;
    Scene scene = Scene::platform;
    Duration chaos = 30s;  ///< How long faults go on, in simulated time.
    std::function<void(std::string_view line)> sink = {};  ///< Every trace line, for people.
};

/// How often rare things happened, by what they are.
using RareCounts = std::map<std::string, std::uint64_t, std::less<>>;

struct SwarmResult {
    std::vector<std::string> violations;
    std::string repro;  ///< The one line that repeats the run.
    std::string tail;   ///< Last events, if something was violated.
    std::uint64_t trace_hash = 0;
    std::uint64_t events = 0;
    Duration simulated{};
    std::uint64_t promotions = 0;
    std::uint64_t calls_done = 0;
    std::uint64_t calls_refused = 0;
    std::uint64_t calls_unknown = 0;
    std::uint64_t changes = 0;
    std::uint64_t faults = 0;
    RareCounts rare;
    std::string
        history;  ///< What clients saw, as JSON lines; of journals, if something was violated.
};

/// The command that repeats a run.
[[nodiscard]] std::string repro_of(const SwarmOptions& options);

[[nodiscard]] Faults draw_faults(std::uint64_t seed);

/// One run of a platform: a registry, two to four members, one to three clients, on nodes that
/// fail.
///
/// Safety phase: faults drawn from the seed, while the oracle watches. Liveness phase: everything
/// heals, and within a bound every client must be connected to the one active member, in sync,
/// and get its calls answered; then nothing may change any more.
/// Of journals: run_journal_swarm().
[[nodiscard]] SwarmResult run_swarm(const SwarmOptions& options);

}  // namespace understudy::swarm
