#include "sim/sim_worker.h"

#include <utility>

#include "sim/draw.h"
#include "sim/sim_runtime.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

constexpr Duration wake_up = 20us;  // Mean time, across cores.

}  // namespace

void SimWorker::submit(Job job, Job done, Place place) {
    US_ASSERT(job);
    US_ASSERT(done);
    if (!runtime_.alive()) return;
    items_.push_back({std::move(job), std::move(done)});
    if (busy_) return;
    busy_ = true;
    if (place == Place::inline_if_idle && runtime_.random().chance(1, 2)) {
        execute();
        runtime_.spend(cost_);
        complete_later();
    } else {
        begin();
    }
}

void SimWorker::begin() {
    Duration wait = exponential(runtime_.random(), wake_up);
    // Half of a typical flush passes before its effect, so that a crash can come first.
    wait += exponential(runtime_.random(), runtime_.world().options().disk.sync / 2);
    runtime_.world().at(runtime_.world().now() + wait, [this] { run(); });
}

void SimWorker::go_on() { run(); }

void SimWorker::run() {
    if (!runtime_.alive()) return;
    if (runtime_.paused()) return runtime_.when_resumed(*this);
    execute();
    complete_later();
}

void SimWorker::execute() {
    cost_ = Duration::zero();
    const SimRuntime::Inside inside(runtime_);
    const SimRuntime::Blocking blocking(runtime_, cost_);
    items_.front().job();
    items_.front().job = nullptr;
}

void SimWorker::complete_later() {
    runtime_.world().at(runtime_.world().now() + cost_, [this] { complete(); });
}

void SimWorker::complete() {
    if (!runtime_.alive()) return;
    Job done = std::move(items_.front().done);
    items_.pop_front();
    busy_ = !items_.empty();
    if (busy_) begin();
    runtime_.deliver(SimRuntime::Cause::worker, number_, std::move(done));
}

void SimWorker::clear() { const std::deque<Item> dropped = std::exchange(items_, {}); }

}  // namespace understudy::sim
