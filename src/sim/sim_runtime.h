#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "runtime/runtime.h"
#include "sim/disk/sim_disk.h"
#include "sim/disk/stored_file.h"
#include "sim/event_queue.h"
#include "sim/local_clock.h"
#include "sim/network/sim_network.h"
#include "sim/sim_host.h"
#include "sim/sim_worker.h"

namespace understudy::sim {

class Node;
class Process;
class Stream;
class World;

/// One start of one simulated process: its loop, its clock, its view of network, disk and host.
///
/// Everything that the process does happens in a *turn*. Each turn takes a little time, so the
/// turns of a process with too much work come late. While it is paused, turns accumulate. After its
/// death nothing that it does has an effect, so its objects can be destroyed safely. A dead runtime
/// remains, empty, until its world ends, so pointers to it stay valid.
class SimRuntime final : public Runtime {
public:
    SimRuntime(World& world, Node& node, Process& process, Owner owner);
    SimRuntime(const SimRuntime&) = delete;
    SimRuntime& operator=(const SimRuntime&) = delete;
    ~SimRuntime() override;

    [[nodiscard]] TimePoint now() const override;
    void post(Task task) override;
    [[nodiscard]] std::unique_ptr<Timer> at(TimePoint when, Task task) override;
    [[nodiscard]] TurnEnds& turn_ends() override { return turn_ends_; }
    [[nodiscard]] Worker& worker(std::string_view name) override;
    [[nodiscard]] Network& network() override { return network_; }
    [[nodiscard]] SimDisk& disk() override { return disk_; }
    [[nodiscard]] Host& host() override { return host_; }
    [[nodiscard]] Random& random() override { return random_; }

    // The rest is used only by the simulator.

    /// The source of a turn. Turns of one source, and of one socket or worker, keep their order.
    enum class Cause : std::uint8_t { post, timer, worker, socket, host };

    /// While this exists, the process is in one of its turns or jobs, or in its start or end.
    class Inside {
    public:
        explicit Inside(SimRuntime& runtime);
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;
        ~Inside();

    private:
        SimRuntime& runtime_;
    };

    /// While this exists, disk calls are allowed and add their time to `meter`.
    class Blocking {
    public:
        Blocking(SimRuntime& runtime, Duration& meter)
            : runtime_(runtime), before_(std::exchange(runtime.meter_, &meter)) {}
        Blocking(const Blocking&) = delete;
        Blocking& operator=(const Blocking&) = delete;
        ~Blocking() { runtime_.meter_ = before_; }

    private:
        SimRuntime& runtime_;
        Duration* const before_;
    };

    /// Gives the loop a turn: now if it is idle, otherwise when it is ready.
    void deliver(Cause cause, std::uint64_t id, Task turn);
    /// The running turn takes this much longer.
    void spend(Duration cost) { busy_until_ += cost; }
    /// The program was created; that took this long.
    void start_loop(Duration took) { spend(took); }
    void pause();
    void resume();
    /// A process of this machine has died.
    void died(const ProcessId& process) { host_.died(process); }
    /// A worker's thread continues when the process is resumed.
    void when_resumed(SimWorker& worker) { waiting_.push_back(&worker); }
    /// Nothing has an effect from now on.
    void die();
    /// Destroys everything that the loop still holds. Requires: dead, and not inside.
    void clear();
    void set_drift(int ppm);
    void set_turn_extra(Duration extra) { turn_extra_ = extra; }
    /// At its end this turn sends what `side` of `stream` has collected.
    void flush_later(Stream& stream, std::uint8_t side);
    void connection_made() { ++unstarted_; }
    void connection_started() { --unstarted_; }

    [[nodiscard]] bool alive() const { return alive_; }
    [[nodiscard]] bool paused() const { return paused_; }
    [[nodiscard]] bool inside() const { return depth_ > 0; }
    [[nodiscard]] Duration* meter() const {
        return meter_;
    }  ///< Null: blocking is not allowed here.
    [[nodiscard]] Owner owner() const { return owner_; }
    [[nodiscard]] World& world() { return world_; }
    [[nodiscard]] Node& node() { return node_; }
    [[nodiscard]] Process& process() { return process_; }
    [[nodiscard]] std::string_view name() const;

private:
    class SimTimer;
    struct Turn {
        std::uint64_t source;
        Task run;
    };
    struct Armed {
        Task task;
        TimePoint when;
        EventQueue::Id event;
        std::uint32_t generation = 1;
    };

    void take_turn(std::uint64_t source, Task run);
    void wake();
    void wake_later();
    void leave();
    void timer_due(std::uint32_t slot, std::uint32_t generation);
    void fire(std::uint32_t slot, std::uint32_t generation);
    void disarm(std::uint32_t slot, std::uint32_t generation);
    Task take(std::uint32_t slot);
    void mix_order();

    World& world_;
    Node& node_;
    Process& process_;
    const Owner owner_;
    Random random_;
    LocalClock clock_;
    SimNetwork network_;
    SimDisk disk_;
    SimHost host_;
    std::map<std::string, std::unique_ptr<SimWorker>, std::less<>> workers_;

    bool alive_ = true;
    bool paused_ = false;
    bool wake_due_ = false;
    int depth_ = 0;
    int unstarted_ = 0;  // Connections that were passed on in this turn and not started yet.
    TimePoint busy_until_;
    Duration* meter_ = nullptr;
    Duration turn_extra_ = Duration::zero();
    std::deque<Turn> inbox_;
    TurnEnds turn_ends_{[this] { post([this] { turn_ends_.run(); }); }};
    std::vector<Armed> timers_;
    std::vector<std::uint32_t> free_timers_;
    std::vector<std::pair<Stream*, std::uint8_t>> unsent_;
    std::vector<SimWorker*> waiting_;
};

}  // namespace understudy::sim
