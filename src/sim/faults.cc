#include "sim/faults.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sim/draw.h"
#include "sim/node.h"
#include "sim/process.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

constexpr std::uint64_t disk_calls_until_crash_max = 30;

template <class T>
T* pick(std::vector<T*> candidates, Random& random) {
    return candidates.empty() ? nullptr : candidates[random.below(candidates.size())];
}

}  // namespace

std::string_view name(Fault fault) {
    switch (fault) {
        case Fault::crash:
            return "crash";
        case Fault::crash_in_disk:
            return "crash_in_disk";
        case Fault::power:
            return "power";
        case Fault::pause:
            return "pause";
        case Fault::slow:
            return "slow";
        case Fault::cut:
            return "cut";
        case Fault::cut_one_way:
            return "cut_one_way";
        case Fault::isolate:
            return "isolate";
        case Fault::reset:
            return "reset";
        case Fault::delay:
            return "delay";
        case Fault::disk_error:
            return "disk_error";
        case Fault::disk_stall:
            return "disk_stall";
        case Fault::disk_full:
            return "disk_full";
        case Fault::wall_jump:
            return "wall_jump";
        case Fault::drift:
            return "drift";
    }
    US_ASSERT(false);
    return {};
}

Faults::Faults(World& world, FaultOptions options)
    : world_(world), options_(std::move(options)), random_(world.fork("faults", 0)) {
    for (std::size_t i = 0; i < fault_count; ++i) {
        if (options_.mask.has(static_cast<Fault>(i))) kinds_.push_back(static_cast<Fault>(i));
    }
}

Faults::~Faults() {
    stop();
    for (const Active& active : active_) world_.cancel(active.end);
}

void Faults::start() {
    if (on_ || kinds_.empty()) return;
    on_ = true;
    plan_next();
}

void Faults::stop() {
    on_ = false;
    world_.cancel(next_);
}

void Faults::heal() {
    stop();
    world_.trace().note(world_.now(), "faults", "heal");
    end_all();
}

void Faults::heal_core(const std::vector<std::string>& nodes) {
    heal();
    const auto in_core = [&](const Node& node) {
        return std::find(nodes.begin(), nodes.end(), node.name()) != nodes.end();
    };
    for (const auto& outside : world_.nodes()) {
        if (in_core(*outside)) continue;
        const std::uint64_t how = random_.below(4);
        if (how == 0) outside->power_off();
        for (const auto& inside : world_.nodes()) {
            if (!in_core(*inside)) continue;
            if (how != 1) world_.cut_one_way(outside->name(), inside->name());
            if (how != 2) world_.cut_one_way(inside->name(), outside->name());
        }
    }
}

std::uint64_t Faults::injected() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : injected_) sum += count;
    return sum;
}

std::string Faults::summary() const {
    std::string out;
    for (std::size_t i = 0; i < fault_count; ++i) {
        if (injected_[i] == 0) continue;
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name(static_cast<Fault>(i)),
                           injected_[i]);
    }
    return out;
}

void Faults::plan_next() {
    next_ = world_.after(exponential(random_, options_.between), [this] {
        inject();
        if (on_) plan_next();
    });
}

void Faults::inject() {
    if (active_.size() >= options_.at_once_max) return;
    const Fault fault = kinds_[random_.below(kinds_.size())];
    const Duration lasts = log_uniform(random_, options_.lasts_min, options_.lasts_max);
    std::function<void()> undo = apply(fault);
    if (!undo) return;
    ++injected_[static_cast<std::size_t>(fault)];
    world_.trace().note(world_.now(), "faults", name(fault));
    const std::uint64_t id = ++last_id_;
    active_.push_back({id, world_.after(lasts, [this, id] { end(id); }), std::move(undo)});
}

std::function<void()> Faults::apply(Fault fault) {
    switch (fault) {
        case Fault::crash:
        case Fault::crash_in_disk:
        case Fault::pause:
        case Fault::slow:
        case Fault::drift:
            return apply_to_process(fault);
        case Fault::cut:
        case Fault::cut_one_way:
        case Fault::isolate:
        case Fault::reset:
        case Fault::delay:
            return apply_to_network(fault);
        case Fault::disk_error:
        case Fault::disk_stall:
        case Fault::disk_full:
            return apply_to_disk(fault);
        case Fault::power:
            return cut_power();
        case Fault::wall_jump:
            return jump_wall();
    }
    US_ASSERT(false);
    return {};
}

std::function<void()> Faults::apply_to_process(Fault fault) {
    Process* const victim = pick_process();
    if (victim == nullptr) return {};
    switch (fault) {
        case Fault::crash:
            downed_.push_back(victim);
            victim->crash();
            break;
        case Fault::pause:
            victim->pause();
            break;
        case Fault::crash_in_disk:
            downed_.push_back(victim);
            victim->crash_at_disk_call(1 + random_.below(disk_calls_until_crash_max));
            break;
        case Fault::slow:
            victim->slow_down(log_uniform(random_, 10us, 10ms));
            return [victim] { victim->slow_down(Duration::zero()); };
        case Fault::drift: {
            constexpr auto max = static_cast<std::uint64_t>(LocalClock::drift_ppm_max);
            victim->set_drift(static_cast<int>(random_.below(2 * max + 1)) -
                              LocalClock::drift_ppm_max);
            return [victim] { victim->set_drift(0); };
        }
        default:
            US_ASSERT(false);
    }
    return [this, victim] { revive(*victim); };
}

std::function<void()> Faults::apply_to_network(Fault fault) {
    if (world_.nodes().size() < 2) return {};
    const std::size_t first = random_.below(world_.nodes().size());
    const std::size_t step = 1 + random_.below(world_.nodes().size() - 1);
    const std::string a = world_.nodes()[first]->name();
    const std::string b = world_.nodes()[(first + step) % world_.nodes().size()]->name();
    World* const world = &world_;
    switch (fault) {
        case Fault::cut:
            world_.cut(a, b);
            break;
        case Fault::cut_one_way:
            world_.cut_one_way(a, b);
            break;
        case Fault::reset:
            world_.reset_connections(a, b);
            return [] {};
        case Fault::delay:
            world_.set_extra_delay(a, b, log_uniform(random_, 1ms, 1s));
            return [world, a, b] { world->set_extra_delay(a, b, Duration::zero()); };
        case Fault::isolate:
            world_.isolate(a);
            return [world, a] {
                for (const auto& other : world->nodes()) {
                    if (other->name() != a) world->heal(a, other->name());
                }
            };
        default:
            US_ASSERT(false);
    }
    return [world, a, b] { world->heal(a, b); };
}

std::function<void()> Faults::apply_to_disk(Fault fault) {
    Node* const victim = pick_node();
    if (victim == nullptr) return {};
    DiskOptions& options = victim->disk().options();
    const DiskOptions healthy = world_.options().disk;
    const auto rate = [&] {
        return static_cast<std::uint32_t>(
            random_.between(std::uint64_t{1'000}, std::uint64_t{300'000}));
    };
    switch (fault) {
        case Fault::disk_error:
            if (random_.chance(1, 2)) options.read_error_rate = rate();
            if (random_.chance(1, 2)) options.write_error_rate = rate();
            if (random_.chance(1, 2)) options.sync_error_rate = rate();
            return [&options, healthy] {
                options.read_error_rate = healthy.read_error_rate;
                options.write_error_rate = healthy.write_error_rate;
                options.sync_error_rate = healthy.sync_error_rate;
            };
        case Fault::disk_stall:
            options.stall_rate = rate();
            return [&options, healthy] { options.stall_rate = healthy.stall_rate; };
        case Fault::disk_full:
            options.capacity_bytes = victim->disk().used_bytes() + random_.below(64 * KiB);
            return [&options, healthy] { options.capacity_bytes = healthy.capacity_bytes; };
        default:
            US_ASSERT(false);
    }
    return {};
}

std::function<void()> Faults::cut_power() {
    Node* const victim = pick_node();
    if (victim == nullptr) return {};
    for (const auto& process : victim->processes()) {
        if (process->alive()) downed_.push_back(process.get());
    }
    victim->power_off();
    return [this, victim] {
        victim->power_on();
        for (const auto& process : victim->processes()) revive(*process);
    };
}

std::function<void()> Faults::jump_wall() {
    Node* const victim = pick_node();
    if (victim == nullptr) return {};
    constexpr std::uint64_t hour_ms = 3'600'000;
    victim->jump_wall(static_cast<std::int64_t>(random_.below(2 * hour_ms + 1)) -
                      static_cast<std::int64_t>(hour_ms));
    return [] {};
}

// A process that died of several faults runs again when the first of them ends, but not without
// power, and not if a test stopped it. A crash point that was not reached is removed.
void Faults::revive(Process& process) {
    process.resume();
    if (!process.node().powered() || std::erase(downed_, &process) == 0) return;
    process.crash_at_disk_call(0);
    if (!process.alive()) process.restart();
}

void Faults::end(std::uint64_t id) {
    const auto found = std::find_if(active_.begin(), active_.end(),
                                    [&](const Active& active) { return active.id == id; });
    US_ASSERT(found != active_.end());
    const Active ended = std::move(*found);
    active_.erase(found);
    ended.undo();
}

void Faults::end_all() {
    for (const Active& active : std::exchange(active_, {})) {
        world_.cancel(active.end);
        active.undo();
    }
    world_.heal_network();
}

Process* Faults::pick_process() {
    std::vector<Process*> candidates;
    for (const auto& node : world_.nodes()) {
        for (const auto& process : node->processes()) {
            if (process->alive() && !process->paused() && !spared(process->name())) {
                candidates.push_back(process.get());
            }
        }
    }
    return pick(std::move(candidates), random_);
}

Node* Faults::pick_node() {
    std::vector<Node*> candidates;
    for (const auto& node : world_.nodes()) {
        if (node->powered() && !spared(node->name())) candidates.push_back(node.get());
    }
    return pick(std::move(candidates), random_);
}

bool Faults::spared(const std::string& name) const {
    return std::find(options_.spare.begin(), options_.spare.end(), name) != options_.spare.end();
}

}  // namespace understudy::sim
