#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "sim/event_queue.h"
#include "sim/options.h"
#include "understudy/types.h"

namespace understudy::sim {

class Node;
class Process;
class World;

enum class Fault : std::uint8_t {
    crash,          ///< kill -9 of a process, which is restarted later.
    crash_in_disk,  ///< The same, at one of its next disk calls.
    power,          ///< A whole machine.
    pause,          ///< SIGSTOP.
    slow,           ///< A process gets little processor time.
    cut,            ///< Between two machines, in both directions.
    cut_one_way,
    isolate,     ///< Between a machine and all others.
    reset,       ///< The connections between two machines.
    delay,       ///< A slow path between two machines.
    disk_error,  ///< Some calls fail.
    disk_stall,  ///< Syncs take seconds.
    disk_full,
    wall_jump,
    drift,  ///< A process's clock is up to 2 % off.
};
inline constexpr std::size_t fault_count = 15;
[[nodiscard]] std::string_view name(Fault fault);

/// The kinds of fault that a run can have. Leaving some out at random finds more than always having
/// all of them (swarm testing: Groce et al., ISSTA 2012).
class FaultMask {
public:
    static constexpr FaultMask all() { return FaultMask((1U << fault_count) - 1); }
    static constexpr FaultMask none() { return FaultMask(0); }
    constexpr explicit FaultMask(std::uint32_t bits) : bits_(bits) {}

    [[nodiscard]] constexpr FaultMask with(Fault fault) const {
        return FaultMask(bits_ | bit(fault));
    }
    [[nodiscard]] constexpr FaultMask without(Fault fault) const {
        return FaultMask(bits_ & ~bit(fault));
    }
    [[nodiscard]] constexpr bool has(Fault fault) const { return (bits_ & bit(fault)) != 0; }
    [[nodiscard]] constexpr std::uint32_t bits() const { return bits_; }

private:
    static constexpr std::uint32_t bit(Fault fault) { return 1U << static_cast<unsigned>(fault); }
    std::uint32_t bits_;
};

struct FaultOptions {
    FaultMask mask = FaultMask::all();
    Duration between = 2s;      ///< Mean time between two faults, exponential.
    Duration lasts_min = 20ms;  ///< Shortest duration of a fault; uniform on a logarithmic scale.
    Duration lasts_max = 10s;
    std::size_t at_once_max = 2;          ///< Faults at the same time; further ones are skipped.
    std::vector<std::string> spare = {};  ///< Processes without direct faults, and machines that
                                          ///< keep their power and their disk.
};

/// Draws faults from the world's seed while it is on, and ends each after its time.
///
/// Thread: that of its world. Must not outlive the world.
class Faults {
public:
    Faults(World& world, FaultOptions options);
    Faults(const Faults&) = delete;
    Faults& operator=(const Faults&) = delete;
    ~Faults();

    void start();
    /// Starts no new faults. Present ones end in their time.
    void stop();
    /// Stops, and ends all faults now: all processes run, all paths are open, all disks work and
    /// have room, all clocks are right. Broken connections stay broken.
    void heal();
    /// Stops, and heals only these machines. The others stay cut off from them, in one direction at
    /// least.
    void heal_core(const std::vector<std::string>& nodes);

    [[nodiscard]] std::uint64_t injected(Fault fault) const {
        return injected_[static_cast<std::size_t>(fault)];
    }
    [[nodiscard]] std::uint64_t injected() const;
    /// "crash 3, cut 1", for the run's report.
    [[nodiscard]] std::string summary() const;

private:
    struct Active {
        std::uint64_t id;
        EventQueue::Id end;
        std::function<void()> undo;
    };

    void plan_next();
    void inject();
    /// Returns the function that ends the fault; null if there was no target.
    [[nodiscard]] std::function<void()> apply(Fault fault);
    [[nodiscard]] std::function<void()> apply_to_process(Fault fault);
    [[nodiscard]] std::function<void()> apply_to_network(Fault fault);
    [[nodiscard]] std::function<void()> apply_to_disk(Fault fault);
    [[nodiscard]] std::function<void()> cut_power();
    [[nodiscard]] std::function<void()> jump_wall();
    void end(std::uint64_t id);
    void end_all();
    void revive(Process& process);
    [[nodiscard]] Process* pick_process();
    [[nodiscard]] Node* pick_node();
    [[nodiscard]] bool spared(const std::string& name) const;

    World& world_;
    FaultOptions options_;
    Random random_;
    bool on_ = false;
    EventQueue::Id next_;
    std::vector<Fault> kinds_;
    std::vector<Active> active_;
    std::vector<Process*> downed_;  // Stopped by faults and not restarted yet.
    std::uint64_t last_id_ = 0;
    std::array<std::uint64_t, fault_count> injected_{};
};

/// What a seed decides about a run before it begins: the health of the world, and the faults.
struct Swarm {
    WorldOptions world;
    FaultOptions faults;
};

/// Each fault is included with probability 1/2; rates are uniform on a logarithmic scale; one seed
/// in twenty has no faults.
[[nodiscard]] Swarm draw_swarm(std::uint64_t seed);

}  // namespace understudy::sim
