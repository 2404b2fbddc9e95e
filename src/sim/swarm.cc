#include "sim/draw.h"
#include "sim/faults.h"
#include "sim/local_clock.h"

namespace understudy::sim {
namespace {

/// A rate per million up to `max`, uniform on a logarithmic scale; zero half of the time.
std::uint32_t draw_rate(Random& random, std::uint32_t max) {
    if (random.chance(1, 2)) return 0;
    return static_cast<std::uint32_t>(log_uniform(random, 1ns, Duration(max)).count());
}

std::size_t draw_size(Random& random, std::size_t min, std::size_t max) {
    return static_cast<std::size_t>(log_uniform(random, Duration(min), Duration(max)).count());
}

NetworkOptions draw_network(Random& random) {
    NetworkOptions network;
    network.latency_max = log_uniform(random, network.latency_min, 10ms);
    network.jitter = log_uniform(random, 1us, 5ms);
    network.tail_rate = draw_rate(random, 20'000);
    network.reset_rate = draw_rate(random, 1'000);
    network.split_rate = draw_rate(random, 500'000);
    network.window_bytes = draw_size(random, 4 * KiB, 4 * MiB);
    network.stall_limit = log_uniform(random, 2s, 60s);
    return network;
}

DiskOptions draw_disk(Random& random) {
    DiskOptions disk;
    disk.sync = log_uniform(random, 20us, 10ms);
    disk.stall_rate = draw_rate(random, 10'000);
    disk.read_error_rate = draw_rate(random, 300);
    disk.write_error_rate = draw_rate(random, 300);
    disk.sync_error_rate = draw_rate(random, 300);
    return disk;
}

ClockOptions draw_clock(Random& random) {
    ClockOptions clock;
    if (random.chance(1, 2)) clock.offset_max = 10'000s;
    if (random.chance(1, 2)) clock.drift_ppm_max = LocalClock::drift_ppm_max;
    if (random.chance(1, 2)) clock.wall_offset_max = 3600s;
    return clock;
}

FaultOptions draw_faults(Random& random) {
    FaultOptions faults;
    faults.mask = FaultMask(static_cast<std::uint32_t>(random.next()) & FaultMask::all().bits());
    faults.between = log_uniform(random, 200ms, 20s);
    faults.lasts_max = log_uniform(random, faults.lasts_min, 30s);
    faults.at_once_max = 1 + random.below(3);
    return faults;
}

}  // namespace

Swarm draw_swarm(std::uint64_t seed) {
    Random random(seed ^ 0x5357'4152'4d00'0000ULL);
    Swarm swarm{.world = {.seed = seed}, .faults = {.mask = FaultMask::none()}};
    if (random.chance(1, 20)) return swarm;
    swarm.world.network = draw_network(random);
    swarm.world.disk = draw_disk(random);
    swarm.world.clock = draw_clock(random);
    swarm.faults = draw_faults(random);
    return swarm;
}

}  // namespace understudy::sim
