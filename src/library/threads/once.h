#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "library/threads/clock.h"

namespace understudy::library {

/// A value that one thread waits for and another thread sets, once.
///
/// The waiting thread spins for a while before it sleeps: to be woken on another core takes longer
/// than many answers do. set() wakes the other thread only if it sleeps.
/// Thread: wait_until() one, set() any. The first set() counts.
template <class T>
class Once {
public:
    void set(T value) {
        {
            const std::lock_guard lock(mutex_);
            if (value_) return;
            value_.emplace(std::move(value));
        }
        if (phase_.exchange(Phase::done, std::memory_order_acq_rel) == Phase::sleeping) {
            const std::lock_guard lock(mutex_);
            brought_.notify_one();
        }
    }

    [[nodiscard]] bool done() const {
        return phase_.load(std::memory_order_acquire) == Phase::done;
    }

    /// The value, or nullopt if it is not set by then.
    [[nodiscard]] std::optional<T> wait_until(TimePoint deadline,
                                              Duration spin_max = Duration::zero()) {
        if (spin_max > Duration::zero() && !done()) {
            const TimePoint spin_end = clock_now() + spin_max;
            while (!done() && clock_now() < spin_end) std::this_thread::yield();
        }
        Phase waiting = Phase::waiting;
        if (phase_.compare_exchange_strong(waiting, Phase::sleeping, std::memory_order_acq_rel)) {
            std::unique_lock lock(mutex_);
            if (deadline == TimePoint::max()) {
                brought_.wait(lock, [this] { return done(); });
            } else {
                brought_.wait_until(lock, to_steady(deadline), [this] { return done(); });
            }
        }
        if (!done()) return std::nullopt;
        const std::lock_guard lock(mutex_);
        return std::move(value_);
    }

private:
    enum class Phase { waiting, sleeping, done };

    std::atomic<Phase> phase_{Phase::waiting};
    std::mutex mutex_;
    std::condition_variable brought_;
    std::optional<T> value_;
};

}  // namespace understudy::library
