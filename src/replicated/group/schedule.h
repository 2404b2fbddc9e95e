#pragma once

#include <algorithm>
#include <functional>
#include <memory>

#include "base/lifetime.h"
#include "replicated/group/owner.h"
#include "runtime/runtime.h"

namespace understudy::replicated {

/// When a group runs: at the end of this turn of the loop, in a later one, or when its timer fires.
///
/// Nothing runs after end().
/// Thread: loop only.
class Schedule {
public:
    Schedule(Runtime& runtime, Duration heartbeat_interval, Owner& owner);
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;
    ~Schedule() = default;

    /// Runs `task` in a later turn of the loop.
    void later(std::function<void()> task);
    /// Runs `task` after a pause, because something could not be opened without a descriptor. One
    /// task at a time, and none when the group has ended.
    void when_short(std::function<void()> task);
    /// Calls Owner::turn() at the end of this turn of the loop: once, even if this is called
    /// several times.
    void turn() { turn_.mark(); }

    /// The group tends to what is under way within a heartbeat, at `when`, or earlier.
    void tend_soon() { tend_by(runtime_.now() + heartbeat_interval_); }
    void tend_by(TimePoint when) { tend_at_ = std::min(tend_at_, when); }
    /// At `when`, whatever was asked for before.
    void tend_at(TimePoint when) { tend_at_ = when; }
    /// Tells whether that time has come. If it has, the next time must be set again.
    [[nodiscard]] bool tending_is_due();

    /// Calls Owner::woken() at `deadline`, or at the time to tend if that is earlier.
    void arm(TimePoint deadline);
    /// Calls Owner::woken() at once.
    void wake();
    /// The timer does not fire any more.
    void stop() { timer_.reset(); }
    void end();

private:
    Runtime& runtime_;
    const Duration heartbeat_interval_;
    Owner& owner_;
    Lifetime life_;
    TurnEnd turn_;
    std::unique_ptr<Timer> timer_;
    TimePoint timer_at_ = TimePoint::max();
    TimePoint tend_at_ = TimePoint::max();
    std::unique_ptr<Timer> shortage_timer_;
};

}  // namespace understudy::replicated
