#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "understudy/types.h"

namespace understudy::sim {

// Rates are counts per million opportunities; 0 switches the fault off. The defaults are a healthy
// local network with healthy disks: every fault is asked for, by hand or by Swarm (faults.h).

struct NetworkOptions {
    Duration latency_min = 30us;         ///< Each ordered pair of nodes draws its base delay once,
    Duration latency_max = 150us;        ///< from this range.
    Duration loopback = 15us;            ///< Between processes of one node.
    Duration jitter = 20us;              ///< Mean of what each write adds, exponential.
    std::uint32_t tail_rate = 0;         ///< Writes that meet a long delay,
    Duration tail_max = 200ms;           ///< uniform up to this.
    std::uint32_t reset_rate = 0;        ///< Writes that break their connection.
    std::uint32_t split_rate = 125'000;  ///< Reads that end at an arbitrary byte.
    std::size_t window_bytes = 256 * KiB;  ///< What a receiver's kernel holds unread.
    Duration stall_limit = 20s;    ///< Unacknowledged for so long, the sender's kernel gives up.
    Duration retransmit_max = 1s;  ///< After a cut heals, the longest wait for the next try.
};

struct DiskOptions {
    Duration call = 2us;            ///< Mean cost of a call served from memory.
    Duration per_mebibyte = 300us;  ///< Added by reads and writes.
    Duration sync = 100us;          ///< Mean cost of a sync, exponential.
    std::uint32_t stall_rate = 0;   ///< Syncs that stall,
    Duration stall_max = 5s;        ///< uniform up to this.
    std::uint32_t read_error_rate = 0;
    std::uint32_t write_error_rate = 0;
    std::uint32_t sync_error_rate = 0;  ///< The unsynced data is lost; the next sync succeeds.
    std::uint32_t shortage_rate = 0;    ///< Opens that find no descriptor.
    std::uint64_t capacity_bytes = 1024 * GiB;
    /// Stricter than kill -9, which leaves the page cache whole: a crashed process loses what it
    /// has not synced itself. Off: only a power cut does.
    bool kill_loses_unsynced = true;
    Duration lock_lease =
        10s;  ///< Of a shared directory: a node out of reach keeps its locks so long.
};

struct ProcessOptions {
    Duration turn_min = 500ns;  ///< What one turn of the loop costs,
    Duration turn_max = 3us;    ///< uniform between these. Nothing happens in no time.
};

struct ClockOptions {
    Duration offset_max = 0s;       ///< Nodes' monotonic clocks start up to this far apart.
    int drift_ppm_max = 0;          ///< Each process draws its drift from +- this.
    Duration wall_offset_max = 0s;  ///< Nodes' wall clocks are off by up to +- this.
};

struct WorldOptions {
    std::uint64_t seed = 1;
    NetworkOptions network = {};
    DiskOptions disk = {};  ///< What new stores begin with; each may be changed later.
    ProcessOptions process = {};
    ClockOptions clock = {};
    /// Gets every trace line as it happens; for people. Formatting costs, so it is off in swarms.
    std::function<void(std::string_view line)> sink = {};
};

}  // namespace understudy::sim
