#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "understudy/types.h"

namespace understudy::sim {

// Rates are counts per million opportunities; 0 switches a fault off. The defaults are a healthy
// local network with healthy disks: every fault must be requested, by a test or by Swarm
// (faults.h).

struct NetworkOptions {
    Duration latency_min = 30us;  ///< Each ordered pair of machines draws its base delay once,
    Duration latency_max = 150us;        ///< from this range.
    Duration loopback = 15us;            ///< Between processes of one machine.
    Duration jitter = 20us;              ///< Mean addition for each write, exponential.
    std::uint32_t tail_rate = 0;         ///< Writes that have a long delay,
    Duration tail_max = 200ms;           ///< uniform up to this.
    std::uint32_t reset_rate = 0;        ///< Writes that break their connection.
    std::uint32_t split_rate = 125'000;  ///< Reads that end at an arbitrary byte.
    std::size_t window_bytes = 256 * KiB;  ///< How many unread bytes a receiver's kernel holds.
    /// After this long without an acknowledgement, the sender's kernel gives up.
    Duration stall_limit = 20s;
    Duration retransmit_max = 1s;  ///< The longest wait for the next try after a cut heals.
};

struct DiskOptions {
    Duration call = 2us;            ///< Mean cost of a call that memory serves.
    Duration per_mebibyte = 300us;  ///< Added for reads and writes.
    Duration sync = 100us;          ///< Mean cost of a sync, exponential.
    std::uint32_t stall_rate = 0;   ///< Syncs that stall,
    Duration stall_max = 5s;        ///< uniform up to this.
    std::uint32_t read_error_rate = 0;
    std::uint32_t write_error_rate = 0;
    std::uint32_t sync_error_rate = 0;  ///< The unsynced data is lost; the next sync succeeds.
    std::uint32_t shortage_rate = 0;    ///< Opens that find no descriptor.
    std::uint64_t capacity_bytes = 1024 * GiB;
    /// Stricter than kill -9, which keeps the page cache: a crashed process loses what it has not
    /// synced itself. If false, only a power cut loses it.
    bool kill_loses_unsynced = true;
    /// For a shared directory: an unreachable machine keeps its locks for this long.
    Duration lock_lease = 10s;
};

struct ProcessOptions {
    Duration turn_min = 500ns;  ///< The cost of one turn of the loop,
    Duration turn_max = 3us;    ///< uniform between these. Nothing takes no time.
};

struct ClockOptions {
    Duration offset_max = 0s;  ///< The monotonic clocks of machines start at most this far apart.
    int drift_ppm_max = 0;          ///< Each process draws its drift from +- this.
    Duration wall_offset_max = 0s;  ///< The wall clocks of machines are off by up to +- this.
};

struct WorldOptions {
    std::uint64_t seed = 1;
    NetworkOptions network = {};
    DiskOptions disk = {};  ///< The initial options of new stores; each may be changed later.
    ProcessOptions process = {};
    ClockOptions clock = {};
    /// Gets every trace line as it occurs, for people. It is off in swarms because formatting takes
    /// time.
    std::function<void(std::string_view line)> sink = {};
};

}  // namespace understudy::sim
