#include "sim/node.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/network/fabric.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

// The range is small, so that pids are used again soon: only their start times distinguish them.
constexpr std::uint64_t pid_first = 300;
constexpr std::uint64_t pid_count_min = 32;
constexpr std::uint16_t port_first = 32768;
constexpr Duration tick = 10ms;
constexpr std::uint64_t wall_start_ms = 1'700'000'000'000;

std::uint64_t ms_between(TimePoint from, TimePoint to) {
    return static_cast<std::uint64_t>((to - from) / 1ms);
}

}  // namespace

Node::Node(World& world, std::string name, std::size_t number)
    : world_(world),
      name_(std::move(name)),
      number_(number),
      random_(world.fork(name_, 0)),
      disk_(name_, world.options().disk, random_.next()) {
    const auto wall_max = static_cast<std::int64_t>(world.options().clock.wall_offset_max / 1ms);
    const std::uint64_t drawn = random_.between(0, static_cast<std::uint64_t>(2 * wall_max));
    wall_offset_ms_ = static_cast<std::int64_t>(drawn) - wall_max;
    boot_up();
}

Node::~Node() = default;

void Node::boot_up() {
    boot_ = fmt::format("{:016x}-{}", random_.next(), name_);
    booted_at_ = world_.now();
    monotonic_offset_ = random_.between(Duration::zero(), world_.options().clock.offset_max);
    last_ticks_.clear();
    next_pid_ = random_.below(pid_count_min);
}

Process& Node::place_for(const std::string& name) {
    for (const auto& process : processes_) {
        if (process->name() == name) return *process;
    }
    processes_.push_back(std::make_unique<Process>(world_, *this, name));
    return *processes_.back();
}

Process& Node::process(std::string_view name) {
    const auto found = std::find_if(processes_.begin(), processes_.end(),
                                    [&](const auto& one) { return one->name() == name; });
    US_ASSERT(found != processes_.end());
    return **found;
}

void Node::power_off() {
    if (!powered_) return;
    world_.trace().note(world_.now(), name_, "node.power_off");
    powered_ = false;
    for (const auto& process : processes_) process->lose_power();
    disk_.crash(std::nullopt);
}

void Node::power_on() {
    if (powered_) return;
    world_.trace().note(world_.now(), name_, "node.power_on");
    powered_ = true;
    boot_up();
    world_.fabric().paths_changed();
}

void Node::mount(const std::string& path, DiskStore& store) {
    US_ASSERT(path.starts_with('/'));
    mounts_.push_back({path.ends_with('/') ? path : path + '/', &store});
}

void Node::lose_unsynced(Owner owner, Loss loss) {
    const bool kill_loses = disk_.options().kill_loses_unsynced;
    if (loss == Loss::kill && kill_loses) disk_.crash(owner);
    // A machine's power loss also loses its share of the cache of a shared directory.
    for (const Mount& mount : mounts_) {
        if (loss == Loss::power || kill_loses) mount.store->crash(owner);
    }
}

void Node::cut_storage(bool cut) {
    storage_cut_ = cut;
    for (const auto& process : processes_) {
        if (process->alive()) process->runtime().disk().storage_changed(cut);
    }
}

std::pair<DiskStore*, std::string> Node::store_of(const std::string& path) {
    const std::string whole = path.starts_with('/') ? path : '/' + path;
    for (const Mount& mount : mounts_) {
        if ((whole + '/').starts_with(mount.path)) {
            const std::size_t length = std::min(mount.path.size(), whole.size());
            return {storage_cut_ ? nullptr : mount.store, '/' + whole.substr(length)};
        }
    }
    return {&disk_, whole};
}

ProcessId Node::new_process_id() {
    ProcessId id{.boot = boot_, .pid_namespace = 4'026'531'836 + number_};
    const auto in_use = [&](std::uint64_t pid) {
        return std::any_of(running_.begin(), running_.end(),
                           [&](const ProcessId& one) { return one.pid == pid; });
    };
    const std::uint64_t pid_count = std::max<std::uint64_t>(pid_count_min, 2 * running_.size());
    do {
        id.pid = pid_first + next_pid_++ % pid_count;
    } while (in_use(id.pid));
    const auto now_ticks = static_cast<std::uint64_t>((world_.now() - booted_at_) / tick);
    std::uint64_t& last = last_ticks_[id.pid];
    id.start_ticks = last = std::max(now_ticks, last + 1);
    return id;
}

void Node::remove(const ProcessId& process) {
    running_.erase(process);
    for (const auto& other : processes_) {
        if (other->alive()) other->runtime().died(process);
    }
}

std::uint64_t Node::wall_ms() const {
    const std::uint64_t running = ms_between(world_.start(), world_.now());
    return wall_start_ms + running + static_cast<std::uint64_t>(wall_offset_ms_);
}

TimePoint Node::monotonic() const { return world_.now() + monotonic_offset_; }

std::uint16_t Node::new_port() {
    constexpr std::uint16_t count = 65535 - port_first;
    return static_cast<std::uint16_t>(port_first + next_port_++ % count);
}

}  // namespace understudy::sim
