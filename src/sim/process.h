#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <vector>

#include "runtime/host.h"
#include "runtime/runtime.h"
#include "sim/sim_log.h"
#include "sim/sim_runtime.h"

namespace understudy::sim {

class Node;
class World;

/// A program on a machine, through all its starts and deaths.
///
/// The program is one object of a class that the test chooses; each start creates a new one. stop()
/// destroys it as if the program ended. After crash() it is destroyed as well, but nothing that it
/// does then has an effect.
class Process {
public:
    using Make = std::function<std::shared_ptr<void>(Runtime&, Log&)>;

    Process(World& world, Node& node, std::string name);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() = default;

    /// Runs the program again, with the data that the disk has kept. Requires: not alive, and the
    /// machine has power.
    void restart();
    /// Ends it in order: destructors have effects, and the kernel closes what they left open.
    void stop();
    /// kill -9. Its connections end at the peers, and its unsynced data may be lost
    /// (DiskOptions::kill_loses_unsynced). No effect on a dead process.
    void crash();
    /// SIGSTOP: nothing runs, events accumulate, and the kernel goes on answering.
    void pause();
    /// SIGCONT: all timers are late, and accumulated events come in any order.
    void resume();

    /// The process dies at its n-th disk call from now (1: the next), or from its next start if it
    /// is dead. That call and all later ones fail without effect; a write may have had a part of
    /// its effect.
    void crash_at_disk_call(std::uint64_t n) { calls_left_ = n; }
    /// Its clock drifts by this much. Requires: |ppm| <= LocalClock::drift_ppm_max.
    void set_drift(int ppm);
    /// Each of its turns takes this much longer; zero: normal.
    void slow_down(Duration per_turn);

    [[nodiscard]] bool alive() const { return runtime_ && runtime_->alive(); }
    [[nodiscard]] bool paused() const { return alive() && runtime_->paused(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] Node& node() { return node_; }
    [[nodiscard]] ProcessId id() const { return id_; }  ///< Of the last start.
    [[nodiscard]] std::uint64_t starts() const { return starts_; }
    [[nodiscard]] std::uint64_t disk_calls() const { return disk_calls_; }  ///< In all its starts.
    [[nodiscard]] SimLog& log() { return log_; }
    /// Requires: alive.
    [[nodiscard]] SimRuntime& runtime();
    /// The program. Requires: alive, and built as an `App`.
    template <class App>
    [[nodiscard]] App& app() {
        US_ASSERT(app_ != nullptr);
        US_ASSERT(app_type_ == typeid(App));
        return *static_cast<App*>(app_.get());
    }

    // The rest is used only by the simulator.

    void set_program(Make make, std::type_index type);
    /// The machine has lost its power: as crash(), but no peer is told.
    void lose_power();
    /// The world ends: as lose_power(), but the disk no longer matters.
    void end();
    /// Destroys the program of a dead process.
    void destroy_program();
    /// Counts a disk call; true if the process must die at it.
    [[nodiscard]] bool count_disk_call();
    [[nodiscard]] bool dies_at_next_disk_call() const { return calls_left_ == 1; }

private:
    void start();
    void die();

    World& world_;
    Node& node_;
    const std::string name_;
    SimLog log_;
    Make make_;
    std::type_index app_type_;
    ProcessId id_;
    std::uint64_t starts_ = 0;
    std::uint64_t disk_calls_ = 0;
    std::uint64_t calls_left_ = 0;  // 0: no crash point set.
    Duration slow_ = Duration::zero();
    std::unique_ptr<SimRuntime> runtime_;
    std::shared_ptr<void> app_;
    std::vector<std::unique_ptr<SimRuntime>> dead_runtimes_;  // Those of former starts.
};

}  // namespace understudy::sim
