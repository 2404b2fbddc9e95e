#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "understudy/types.h"

namespace understudy::swarm {

/// The longest time until all is well again after the faults are over.
inline constexpr Duration heal_limit = 60s;

/// The kinds of faults that a run may have. Leaving some out finds more than always having all.
struct Faults {
    bool crash = false;  ///< kill -9 of members, clients, registry.
    bool pause = false;  ///< SIGSTOP for longer than a lease.
    bool cut = false;    ///< Silent cuts between hosts, in both directions.
    bool cut_one_way = false;
    bool reset = false;       ///< Connections that break.
    bool delay = false;       ///< Long delays.
    bool power = false;       ///< Whole hosts, with loss of unsynced data.
    bool disk_error = false;  ///< Writes and syncs of the registry fail.
    bool disk_full = false;
    bool wall_jump = false;
    bool drift = false;
    bool slow = false;              ///< Processes get little processor time.
    bool registry_emptied = false;  ///< The registry returns without its data.
    bool switchovers = false;       ///< Clients ask for them.
    bool big = false;               ///< Changes so big that links fill up.
    bool rot = false;  ///< A bit flips on the disk of one node of a registry of several.
    /// Only members and clients die, one at a time, with time to recover in between. Then each
    /// promotion must be that of the earliest in line.
    bool gentle = false;
    /// Only the registry is stopped and continued. Then no member may lose a role at all.
    bool sleepy_registry = false;
};

/// The contents of a simulated world.
enum class Scene : std::uint8_t {
    platform,    ///< One registry, members, clients.
    nodes,       ///< The same with a registry of three nodes.
    shared,      ///< A service whose journal is in a directory that its members mount.
    replicated,  ///< A service whose journal is kept by a majority of its members.
};
inline constexpr std::size_t scene_count = 4;
[[nodiscard]] std::string_view name(Scene scene);

struct SwarmOptions {
    std::uint64_t seed = 1;
    Scene scene = Scene::platform;
    Duration chaos = 30s;  ///< How long faults go on, in simulated time.
    std::function<void(std::string_view line)> sink = {};  ///< Every trace line, for people.
};

/// How often rare events happened, by name.
using RareCounts = std::map<std::string, std::uint64_t, std::less<>>;

struct SwarmResult {
    std::vector<std::string> violations;
    std::string repro;  ///< The one line that repeats the run.
    std::string tail;   ///< The last events, if something was violated.
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
    /// What clients saw, as JSON lines; for journals, if something was violated.
    std::string history;
};

/// The command that repeats a run.
[[nodiscard]] std::string repro_of(const SwarmOptions& options);

[[nodiscard]] Faults draw_faults(std::uint64_t seed);

/// One run of a platform: a registry, two to four members, and one to three clients, on hosts that
/// fail.
///
/// Safety phase: faults are drawn from the seed, while the oracle checks. Liveness phase:
/// everything heals, and within a bound every client must be connected to the one active member, be
/// in sync, and get its calls answered. After that nothing may change any more. For journals:
/// run_journal_swarm().
[[nodiscard]] SwarmResult run_swarm(const SwarmOptions& options);

}  // namespace understudy::swarm
