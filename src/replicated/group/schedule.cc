#include "replicated/group/schedule.h"

#include <utility>

namespace understudy::replicated {

Schedule::Schedule(Runtime& runtime, Duration heartbeat_interval, Owner& owner)
    : runtime_(runtime),
      heartbeat_interval_(heartbeat_interval),
      owner_(owner),
      turn_(runtime.turn_ends(), TurnPhase::commands, [this] {
          const auto group = owner_.keep();
          owner_.turn();
      }) {}

void Schedule::later(std::function<void()> task) {
    runtime_.post(life_.guarded([this, task = std::move(task)] {
        const auto group = owner_.keep();
        task();
    }));
}

void Schedule::when_short(std::function<void()> task) {
    constexpr Duration pause = 50ms;
    shortage_timer_ =
        runtime_.at(runtime_.now() + pause, life_.guarded([this, task = std::move(task)] {
            const auto group = owner_.keep();
            if (!owner_.ended()) task();
        }));
}

bool Schedule::tending_is_due() {
    if (tend_at_ > runtime_.now()) return false;
    tend_at_ = TimePoint::max();
    return true;
}

void Schedule::arm(TimePoint deadline) {
    const TimePoint when = std::min(deadline, tend_at_);
    // A timer that fires too early is set again. That is cheaper than a new timer for each
    // heartbeat.
    if (when >= timer_at_) return;
    timer_at_ = when;
    timer_ = runtime_.at(when, [this] { wake(); });
}

void Schedule::wake() {
    timer_at_ = TimePoint::max();
    owner_.woken();
}

void Schedule::end() {
    life_.end();
    turn_.unmark();
    timer_.reset();
}

}  // namespace understudy::replicated
