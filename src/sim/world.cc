#include "sim/world.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/checksum.h"

namespace understudy::sim {
namespace {

// No process starts at time zero, because a time that was never set must not look like the present.
constexpr TimePoint world_start{std::chrono::hours(1)};
// If this many events happen without any time passing, the run is in a loop.
constexpr std::uint64_t events_at_once_max = 1'000'000;

}  // namespace

World::World(WorldOptions options)
    : options_(std::move(options)),
      start_(world_start),
      now_(world_start),
      trace_(world_start),
      random_(fork("scenario", 0)),
      fabric_(std::make_unique<Fabric>(*this)) {
    trace_.mix(options_.seed);
    if (options_.sink) trace_.set_sink(options_.sink);
}

World::~World() {
    clean_up();
    // All processes end first, because closing one may affect the machine of another.
    for (const auto& node : nodes_) {
        for (const auto& process : node->processes()) process->end();
    }
    nodes_.clear();
}

Node& World::add_node(const std::string& name) {
    US_ASSERT(resolve(name) == nullptr);
    fabric_->add_node();
    nodes_.push_back(std::make_unique<Node>(*this, name, nodes_.size()));
    names_.emplace(name, nodes_.back().get());
    return *nodes_.back();
}

Node& World::node(std::string_view name) {
    Node* const found = resolve(name);
    US_ASSERT(found != nullptr);
    return *found;
}

DiskStore& World::add_disk(const std::string& name) {
    Random random = fork(name, disks_.size());
    disks_.push_back(std::make_unique<DiskStore>(name, options_.disk, random.next()));
    return *disks_.back();
}

void World::set_name(const std::string& host, std::string_view node_name) {
    names_.insert_or_assign(host, &node(node_name));
}

bool World::step() {
    US_ASSERT(!stepping_);  // Running from within an event is not allowed.
    if (queue_.empty() || queue_.next_at() == TimePoint::max()) return false;
    US_ASSERT(queue_.next_at() >= now_);
    events_now_ = queue_.next_at() == now_ ? events_now_ + 1 : 0;
    US_ASSERT(events_now_ < events_at_once_max);
    now_ = queue_.next_at();
    ++events_;
    trace_.mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
    {
        const EventQueue::Task task = queue_.take();
        stepping_ = true;
        task();
    }
    stepping_ = false;
    clean_up();
    if (check_) check_();
    return true;
}

bool World::run_until(const std::function<bool()>& done, TimePoint limit) {
    US_ASSERT(!stepping_);
    US_ASSERT(limit >= now_);
    while (!done()) {
        if (queue_.empty() || queue_.next_at() > limit) {
            now_ = limit;
            return done();
        }
        step();
    }
    return true;
}

bool World::run_until(const std::function<bool()>& done, Duration within) {
    return run_until(done, now_ + within);
}

void World::run_for(Duration duration) {
    run_until([] { return false; }, now_ + duration);
}

EventQueue::Id World::at(TimePoint when, EventQueue::Task task) {
    return queue_.schedule(std::max(when, now_), std::move(task));
}

EventQueue::Id World::after(Duration delay, EventQueue::Task task) {
    return at(now_ + delay, std::move(task));
}

void World::cut(std::string_view a, std::string_view b) {
    cut_one_way(a, b);
    cut_one_way(b, a);
}

void World::cut_one_way(std::string_view from, std::string_view to) {
    trace_.note(now_, node(from).name(), "net.cut", node(to).number());
    fabric_->set_cut(node(from), node(to), true);
}

void World::heal(std::string_view a, std::string_view b) {
    trace_.note(now_, node(a).name(), "net.heal", node(b).number());
    fabric_->set_cut(node(a), node(b), false);
    fabric_->set_cut(node(b), node(a), false);
}

void World::isolate(std::string_view name) {
    for (const auto& other : nodes_) {
        if (other.get() != &node(name)) cut(name, other->name());
    }
}

void World::heal_network() {
    trace_.note(now_, "network", "net.heal_all");
    fabric_->heal_all();
}

std::size_t World::reset_connections(std::string_view a, std::string_view b) {
    const std::size_t count = fabric_->reset(node(a), node(b));
    trace_.note(now_, node(a).name(), "net.reset", node(b).number(), count);
    return count;
}

void World::set_extra_delay(std::string_view a, std::string_view b, Duration extra) {
    trace_.note(now_, node(a).name(), "net.extra_delay", node(b).number(),
                static_cast<std::uint64_t>(extra.count()));
    fabric_->set_extra_delay(node(a), node(b), extra);
}

std::string World::verdict() const {
    if (errors_.empty()) return {};
    std::string out;
    for (const std::string& error : errors_) out += error + '\n';
    return out + repro() + '\n' + trace_tail();
}

std::string World::repro() const {
    return fmt::format("REPRO understudy-sim --seed={} --until={}ms", options_.seed,
                       (now_ - start_) / 1ms);
}

Random World::fork(std::string_view purpose, std::uint64_t number) const {
    const std::uint64_t seed = hash64(as_bytes(purpose), options_.seed);
    return Random(seed ^ (number + 1) * 0x9E37'79B9'7F4A'7C15ULL);
}

Node* World::resolve(std::string_view host) const {
    const auto found = names_.find(host);
    return found == names_.end() ? nullptr : found->second;
}

void World::record_error(std::string_view who, std::string_view event, const std::string& text) {
    if (std::find(expected_errors_.begin(), expected_errors_.end(), event) !=
        expected_errors_.end()) {
        return;
    }
    errors_.push_back(fmt::format("{}: {}", who, text));
}

void World::clean_up() {
    for (Process* const process : std::exchange(dying_, {})) {
        if (!process->alive()) process->destroy_program();
    }
    fabric_->reap();
}

}  // namespace understudy::sim
