#include "library/threads/ending.h"

#include <algorithm>

#include "library/threads/clock.h"

namespace understudy::library {

void Ending::run(Duration limit, LoopThread& loop, Callbacks& callbacks,
                 const std::function<void()>& begin) {
    const TimePoint deadline = later(clock_now(), std::clamp(limit, Duration::zero(), close_max));
    if (begun_.exchange(true)) {
        if (loop.on_loop() || callbacks.on_thread()) return;
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, to_steady(deadline), [this] { return over_; });
        return;
    }
    begin();
    if (loop.on_loop()) {
        callbacks.close(TimePoint{});  // The loop thread may not wait.
    } else {
        wait_left(loop, deadline);
        callbacks.close(deadline);
    }
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
}

// A loop of its own has ended then; one that others use goes on.
void Ending::wait_left(LoopThread& loop, TimePoint deadline) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, to_steady(deadline), [this] { return left_; });
    if (!ended_) return;
    lock.unlock();
    (void)loop.join(deadline);
}

void Ending::leave(LoopThread& loop) {
    const bool ended = loop.leave();
    const std::lock_guard lock(mutex_);
    left_ = true;
    ended_ = ended;
    changed_.notify_all();
}

}  // namespace understudy::library
