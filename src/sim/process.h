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

/// A program on a node, through all its starts and deaths.
///
/// The program is one object of the test's choice, built anew by each start. stop() destroys it as
/// a program that ends would; after crash() it is destroyed as well, but nothing it does then has
/// an effect.
class Process {
public:
    using Make = std::function<std::shared_ptr<void>(Runtime&, Log&)>;

    Process(World& world, Node& node, std::string name);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() = default;

    /// Runs the program again, on what the disk has kept. Requires: not alive, the node is on.
    void restart();
    /// Ends it in order: destructors act, the kernel closes what they left open.
    void stop();
    /// kill -9. Its connections end at the peers; what it has not synced may be lost
    /// (DiskOptions::kill_loses_unsynced). No effect on a dead process.
    void crash();
    /// SIGSTOP: nothing runs, everything piles up, the kernel goes on answering for it.
    void pause();
    /// SIGCONT: all timers are late, and what piled up comes in any order.
    void resume();

    /// Dies at its n-th disk call from now (1: the next), or from its next start if it is dead.
    /// That call and all later ones fail without effect, a write perhaps after part of it.
    void crash_at_disk_call(std::uint64_t n) { calls_left_ = n; }
    /// Its clock runs that much off. Requires: |ppm| <= LocalClock::drift_ppm_max.
    void set_drift(int ppm);
    /// Each of its turns takes that much longer; zero: healthy.
    void slow_down(Duration per_turn);

    [[nodiscard]] bool alive() const { return runtime_ && runtime_->alive(); }
    [[nodiscard]] bool paused() const { return alive() && runtime_->paused(); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] Node& node() { return node_; }
    [[nodiscard]] ProcessId id() const { return id_; }  ///< Of the last start.
    [[nodiscard]] std::uint64_t starts() const { return starts_; }
    [[nodiscard]] std::uint64_t disk_calls() const { return disk_calls_; }  ///< In all its lives.
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

    // The rest is for the simulator.

    void set_program(Make make, std::type_index type);
    /// The node has lost power: as crash(), but nobody is told.
    void lose_power();
    /// The world ends: as lose_power(), but what is on the disk is nobody's concern any more.
    void end();
    /// Destroys the program of a dead process.
    void destroy_program();
    /// Counts a disk call; true if this is the one to die at.
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
    std::vector<std::unique_ptr<SimRuntime>> dead_runtimes_;  // Of former starts.
};

}  // namespace understudy::sim
