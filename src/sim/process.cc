#include "sim/process.h"

#include <utility>

#include "sim/network/fabric.h"
#include "sim/node.h"
#include "sim/world.h"

namespace understudy::sim {

Process::Process(World& world, Node& node, std::string name)
    : world_(world),
      node_(node),
      name_(std::move(name)),
      log_(world, *this),
      app_type_(typeid(void)) {}

void Process::set_program(Make make, std::type_index type) {
    US_ASSERT(!alive());
    make_ = std::move(make);
    app_type_ = type;
    start();
}

void Process::restart() {
    US_ASSERT(make_);
    start();
}

void Process::start() {
    US_ASSERT(!alive());
    US_ASSERT(node_.powered());
    destroy_program();
    id_ = node_.new_process_id();
    ++starts_;
    runtime_ = std::make_unique<SimRuntime>(world_, node_, *this, world_.new_owner());
    node_.add(id_);
    const int drift = world_.options().clock.drift_ppm_max;
    if (drift != 0) {
        const auto drawn = runtime_->random().below(2 * static_cast<std::uint64_t>(drift) + 1);
        runtime_->set_drift(static_cast<int>(drawn) - drift);
    }
    runtime_->set_turn_extra(slow_);
    world_.trace().note(world_.now(), name_, "process.start", id_.pid, starts_);

    Duration took = Duration::zero();
    {
        const SimRuntime::Inside inside(*runtime_);
        const SimRuntime::Blocking blocking(*runtime_, took);
        app_ = make_(*runtime_, log_);
    }
    runtime_->start_loop(took);
    if (!alive()) destroy_program();
}

void Process::stop() {
    if (!alive()) return;
    if (runtime_->inside()) {  // Called from its own turn: it happens as soon as that is over.
        world_.at(world_.now(), [this, starts = starts_] {
            if (starts == starts_) stop();
        });
        return;
    }
    world_.trace().note(world_.now(), name_, "process.stop", id_.pid);
    Duration took = Duration::zero();
    {
        const SimRuntime::Inside inside(*runtime_);
        const SimRuntime::Blocking blocking(*runtime_, took);
        app_.reset();
    }
    if (!alive()) return;  // Crashed at a disk call.
    world_.fabric().lose_process(*runtime_, Goodbye::by_kernel);
    die();
    destroy_program();
}

void Process::crash() {
    if (!alive()) return;
    world_.trace().note(world_.now(), name_, "process.crash", id_.pid);
    world_.fabric().lose_process(*runtime_, Goodbye::by_kernel);
    const Owner owner = runtime_->owner();
    die();
    node_.lose_unsynced(owner, Node::Loss::kill);
    destroy_program();
}

void Process::lose_power() {
    if (!alive()) return;
    world_.fabric().lose_process(*runtime_, Goodbye::none);
    const Owner owner = runtime_->owner();
    runtime_->disk().lose_power();
    die();
    node_.lose_unsynced(owner, Node::Loss::power);
    destroy_program();
}

void Process::end() {
    if (alive()) {
        world_.fabric().lose_process(*runtime_, Goodbye::none);
        die();
    }
    destroy_program();
}

void Process::die() {
    runtime_->disk().close_all();
    runtime_->die();
    node_.remove(id_);
}

void Process::destroy_program() {
    if (!runtime_) return;
    US_ASSERT(!runtime_->alive());
    if (runtime_->inside()) return world_.destroy_program_later(*this);
    app_.reset();
    runtime_->clear();
    world_.fabric().forget(*runtime_);
    dead_runtimes_.push_back(std::move(runtime_));
}

void Process::pause() {
    if (!alive() || runtime_->paused()) return;
    world_.trace().note(world_.now(), name_, "process.pause");
    runtime_->pause();
}

void Process::resume() {
    if (!paused()) return;
    world_.trace().note(world_.now(), name_, "process.resume");
    runtime_->resume();
}

void Process::set_drift(int ppm) {
    if (alive()) runtime_->set_drift(ppm);
}

void Process::slow_down(Duration per_turn) {
    slow_ = per_turn;
    if (alive()) runtime_->set_turn_extra(per_turn);
}

SimRuntime& Process::runtime() {
    US_ASSERT(alive());
    return *runtime_;
}

bool Process::count_disk_call() {
    ++disk_calls_;
    return calls_left_ > 0 && --calls_left_ == 0;
}

}  // namespace understudy::sim
