#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "sim/disk/disk_store.h"
#include "sim/disk/stored_file.h"
#include "sim/event_queue.h"
#include "sim/network/fabric.h"
#include "sim/node.h"
#include "sim/options.h"
#include "sim/process.h"
#include "sim/trace.h"
#include "understudy/types.h"

namespace understudy::sim {

/// A whole cluster in one thread, under virtual time, from one seed.
///
/// Everything that happens is a call in one queue, ordered by time and then by age, and all
/// randomness comes from the seed. So the same seed gives the same run, byte for byte; trace_hash()
/// shows it.
///
///     sim::World world({.seed = seed});
///     sim::Node& one = world.add_node("h1");
///     sim::Process& registry = one.start("registry", [](Runtime& runtime, Log& log) {
///         return std::make_unique<App>(runtime, log);
///     });
///     ASSERT_TRUE(world.run_until([&] { return registry.app<App>().ready(); }, 10s));
///     registry.crash();
///
/// What is modelled and what is not: docs/decisions/0005-simulator.md.
/// Do not use it for what only a real kernel does; tests/process is for that.
class World {
public:
    explicit World(WorldOptions options = {});
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World();

    Node& add_node(const std::string& name);
    [[nodiscard]] Node& node(std::string_view name);  ///< Requires: exists.
    /// A shared directory, for Node::mount().
    DiskStore& add_disk(const std::string& name);
    /// Makes a name resolve to a machine, besides the machine's own name, or to another one from
    /// now on.
    void set_name(const std::string& host, std::string_view node_name);

    // Time.

    [[nodiscard]] TimePoint now() const { return now_; }
    [[nodiscard]] TimePoint start() const { return start_; }
    /// Runs the next event; false if there is none.
    bool step();
    /// Runs until `done`, which is called after each event, or `limit`. Returns the last value of
    /// `done`.
    bool run_until(const std::function<bool()>& done, TimePoint limit);
    bool run_until(const std::function<bool()>& done, Duration within);
    void run_for(Duration duration);
    /// Calls `task` between events, for the script of a scenario.
    EventQueue::Id at(TimePoint when, EventQueue::Task task);
    EventQueue::Id after(Duration delay, EventQueue::Task task);
    void cancel(EventQueue::Id id) { queue_.cancel(id); }
    /// Called after each event, to check invariants.
    void after_every_event(std::function<void()> check) { check_ = std::move(check); }

    // Network faults, by names of machines. Cuts are silent, like a dead switch.

    void cut(std::string_view a, std::string_view b);
    void cut_one_way(std::string_view from, std::string_view to);
    void heal(std::string_view a, std::string_view b);
    void isolate(std::string_view name);  ///< From all other machines.
    void heal_network();                  ///< Ends all cuts and extra delays.
    /// Breaks the connections between two machines; returns their number.
    std::size_t reset_connections(std::string_view a, std::string_view b);
    void set_extra_delay(std::string_view a, std::string_view b, Duration extra);

    // Results.

    [[nodiscard]] std::uint64_t trace_hash() const { return trace_.hash(); }
    [[nodiscard]] std::string trace_tail() const { return trace_.tail(); }
    [[nodiscard]] std::uint64_t events() const { return events_; }
    /// Errors in log events of this name do not fail the run.
    void expect_error(const std::string& event) { expected_errors_.push_back(event); }
    /// Gets each line that a living process logs, before it goes into the trace.
    void on_log(std::function<void(const Process& from, std::string_view event,
                                   const std::string& text)>
                    hear) {
        hear_log_ = std::move(hear);
    }
    /// Errors that were logged and not expected.
    [[nodiscard]] const std::vector<std::string>& errors() const { return errors_; }
    /// Empty if no error was logged; otherwise the errors, how to repeat the run, and its last
    /// events.
    [[nodiscard]] std::string verdict() const;
    /// "REPRO understudy-sim --seed=S --until=T"
    [[nodiscard]] std::string repro() const;

    [[nodiscard]] const WorldOptions& options() const { return options_; }
    /// To change the health of the network during a run.
    [[nodiscard]] NetworkOptions& network() { return options_.network; }
    /// For the scenario; nothing else draws from it.
    [[nodiscard]] Random& random() { return random_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }

    // The rest is used only by the simulator.

    /// A separate source for each purpose: one more draw in one of them does not change the others.
    [[nodiscard]] Random fork(std::string_view purpose, std::uint64_t number) const;
    [[nodiscard]] Trace& trace() { return trace_; }
    [[nodiscard]] Fabric& fabric() { return *fabric_; }
    [[nodiscard]] Node* resolve(std::string_view host) const;
    [[nodiscard]] Owner new_owner() { return last_owner_ = last_owner_.next(); }
    void record_error(std::string_view who, std::string_view event, const std::string& text);
    void hear_log(const Process& from, std::string_view event, const std::string& text) {
        if (hear_log_) hear_log_(from, event, text);
    }
    void destroy_program_later(Process& process) { dying_.push_back(&process); }
    void enter() { ++inside_; }
    void leave() { --inside_; }
    /// True if an event is happening and no process is inside a turn.
    [[nodiscard]] bool between_turns() const { return stepping_ && inside_ == 0; }

private:
    void clean_up();

    WorldOptions options_;
    const TimePoint start_;
    TimePoint now_;
    EventQueue queue_;
    Trace trace_;
    Random random_;
    std::uint64_t events_ = 0;
    std::uint64_t events_now_ = 0;  // At this instant.
    Owner last_owner_;
    bool stepping_ = false;
    int inside_ = 0;
    std::unique_ptr<Fabric> fabric_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<std::unique_ptr<DiskStore>> disks_;
    std::map<std::string, Node*, std::less<>> names_;
    std::vector<Process*> dying_;
    std::vector<std::string> expected_errors_;
    std::vector<std::string> errors_;
    std::function<void()> check_;
    std::function<void(const Process&, std::string_view, const std::string&)> hear_log_;
};

}  // namespace understudy::sim
