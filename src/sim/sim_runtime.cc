#include "sim/sim_runtime.h"

#include <algorithm>

#include "sim/network/stream.h"
#include "sim/node.h"
#include "sim/process.h"
#include "sim/world.h"

namespace understudy::sim {

class SimRuntime::SimTimer final : public Timer {
public:
    SimTimer(SimRuntime& runtime, std::uint32_t slot, std::uint32_t generation)
        : runtime_(runtime), slot_(slot), generation_(generation) {}
    SimTimer(const SimTimer&) = delete;
    SimTimer& operator=(const SimTimer&) = delete;
    ~SimTimer() override { runtime_.disarm(slot_, generation_); }

private:
    SimRuntime& runtime_;
    const std::uint32_t slot_;
    const std::uint32_t generation_;  // 0: it was never set.
};

SimRuntime::Inside::Inside(SimRuntime& runtime) : runtime_(runtime) {
    ++runtime_.depth_;
    runtime_.world_.enter();
}

SimRuntime::Inside::~Inside() {
    if (runtime_.depth_ == 1) runtime_.leave();
    --runtime_.depth_;
    runtime_.world_.leave();
}

SimRuntime::SimRuntime(World& world, Node& node, Process& process, Owner owner)
    : world_(world),
      node_(node),
      process_(process),
      owner_(owner),
      random_(world.fork(process.name(), owner.value)),
      clock_(world.now(), node.monotonic()),
      network_(*this),
      disk_(*this),
      host_(*this),
      busy_until_(world.now()) {}

SimRuntime::~SimRuntime() = default;

std::string_view SimRuntime::name() const { return process_.name(); }

TimePoint SimRuntime::now() const { return clock_.local(world_.now()); }

void SimRuntime::post(Task task) {
    US_ASSERT(task);
    if (!alive_) return;
    inbox_.push_back({0, std::move(task)});
    wake_later();
}

std::unique_ptr<Timer> SimRuntime::at(TimePoint when, Task task) {
    US_ASSERT(task);
    if (!alive_) return std::make_unique<SimTimer>(*this, 0, 0);
    if (free_timers_.empty()) {
        free_timers_.push_back(static_cast<std::uint32_t>(timers_.size()));
        timers_.emplace_back();
    }
    const std::uint32_t slot = free_timers_.back();
    free_timers_.pop_back();
    Armed& armed = timers_[slot];
    const std::uint32_t generation = armed.generation;
    armed.task = std::move(task);
    armed.when = when;
    armed.event = world_.at(std::max(clock_.world(when), world_.now()),
                            [this, slot, generation] { timer_due(slot, generation); });
    return std::make_unique<SimTimer>(*this, slot, generation);
}

Worker& SimRuntime::worker(std::string_view name) {
    auto found = workers_.find(name);
    if (found == workers_.end()) {
        auto made = std::make_unique<SimWorker>(*this, workers_.size());
        found = workers_.emplace(std::string(name), std::move(made)).first;
    }
    return *found->second;
}

void SimRuntime::deliver(Cause cause, std::uint64_t id, Task turn) {
    if (!alive_) return;
    const std::uint64_t source = static_cast<std::uint64_t>(cause) << 56 | id;
    const bool idle = inbox_.empty() && !paused_ && busy_until_ <= world_.now();
    if (idle && world_.between_turns()) {
        take_turn(source, std::move(turn));
    } else {
        inbox_.push_back({source, std::move(turn)});
        wake_later();
    }
}

void SimRuntime::take_turn(std::uint64_t source, Task run) {
    world_.trace().mix(owner_.value << 8 ^ source);
    const ProcessOptions& options = world_.options().process;
    busy_until_ = world_.now() + random_.between(options.turn_min, options.turn_max) + turn_extra_;
    {
        const Inside inside(*this);
        run();
        run = nullptr;
    }
    if (!inbox_.empty()) wake_later();
}

void SimRuntime::wake_later() {
    if (wake_due_ || paused_ || !alive_) return;
    wake_due_ = true;
    world_.at(std::max(busy_until_, world_.now()), [this] { wake(); });
}

void SimRuntime::wake() {
    wake_due_ = false;
    if (!alive_ || paused_ || inbox_.empty()) return;
    if (busy_until_ > world_.now()) return wake_later();
    Turn turn = std::move(inbox_.front());
    inbox_.pop_front();
    take_turn(turn.source, std::move(turn.run));
}

void SimRuntime::leave() {
    if (!alive_) return;
    // Connection::start() must be called before control returns to the loop.
    US_ASSERT(unstarted_ == 0);
    for (std::size_t i = 0; i < unsent_.size(); ++i) unsent_[i].first->flush(unsent_[i].second);
    unsent_.clear();
}

void SimRuntime::flush_later(Stream& stream, std::uint8_t side) {
    unsent_.emplace_back(&stream, side);
    if (depth_ == 0) post([] {});  // It was sent outside any turn; the next turn sends it.
}

void SimRuntime::timer_due(std::uint32_t slot, std::uint32_t generation) {
    Armed& armed = timers_[slot];
    if (!alive_ || armed.generation != generation) return;
    if (now() < armed.when) {  // The clock was slowed down in the meantime.
        armed.event = world_.at(clock_.world(armed.when),
                                [this, slot, generation] { timer_due(slot, generation); });
        return;
    }
    deliver(Cause::timer, 0, [this, slot, generation] { fire(slot, generation); });
}

void SimRuntime::fire(std::uint32_t slot, std::uint32_t generation) {
    if (timers_[slot].generation != generation) return;  // It was cancelled while it waited.
    const Task task = take(slot);
    task();
}

void SimRuntime::disarm(std::uint32_t slot, std::uint32_t generation) {
    if (generation == 0 || timers_[slot].generation != generation) return;
    world_.cancel(timers_[slot].event);
    const Task dropped = take(slot);
}

Runtime::Task SimRuntime::take(std::uint32_t slot) {
    Armed& armed = timers_[slot];
    if (++armed.generation == 0) armed.generation = 1;
    free_timers_.push_back(slot);
    return std::exchange(armed.task, nullptr);
}

void SimRuntime::pause() { paused_ = true; }

void SimRuntime::resume() {
    if (!paused_) return;
    paused_ = false;
    mix_order();
    if (!inbox_.empty()) wake_later();
    for (SimWorker* worker : std::exchange(waiting_, {})) worker->go_on();
}

// All accumulated turns are ready at once. The loop may take them in any order that keeps the order
// of each source.
void SimRuntime::mix_order() {
    std::map<std::uint64_t, std::deque<Task>> by_source;
    std::vector<std::uint64_t> order;
    for (Turn& turn : inbox_) {
        order.push_back(turn.source);
        by_source[turn.source].push_back(std::move(turn.run));
    }
    for (std::size_t i = order.size(); i > 1; --i) {
        std::swap(order[i - 1], order[random_.below(i)]);
    }
    inbox_.clear();
    for (const std::uint64_t source : order) {
        inbox_.push_back({source, std::move(by_source[source].front())});
        by_source[source].pop_front();
    }
}

void SimRuntime::die() {
    alive_ = false;
    paused_ = false;
    unstarted_ = 0;
    unsent_.clear();
    turn_ends_.clear();
}

void SimRuntime::clear() {
    US_ASSERT(!alive_);
    US_ASSERT(depth_ == 0);
    // The destructors of objects that tasks own come back here, so the tasks are moved out first.
    const std::deque<Turn> turns = std::exchange(inbox_, {});
    std::vector<Task> tasks;
    for (std::uint32_t slot = 0; slot < timers_.size(); ++slot) {
        if (!timers_[slot].task) continue;
        world_.cancel(timers_[slot].event);
        tasks.push_back(take(slot));
    }
    for (auto& [name, worker] : workers_) worker->clear();
}

void SimRuntime::set_drift(int ppm) { clock_.set_drift(ppm, world_.now()); }

}  // namespace understudy::sim
