#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "library/threads/clock.h"
#include "library/threads/listeners.h"
#include "library/threads/waiter.h"

namespace understudy::library {

/// The status of a member with a journal, for other threads that ask, wait or listen.
///
/// Status has role, epoch, active and failed, as ReplicaStatus has. A failure is final: after it
/// the role is always joining. Bounds: a slow listener gets only the newest `changes_kept` changes.
/// Thread: any; show() one.
template <class Status>
class StatusBoard {
public:
    static constexpr std::size_t changes_kept = 64;

    StatusBoard(std::shared_ptr<Callbacks> callbacks, const Waiter& waiter)
        : waiter_(waiter), listeners_(std::move(callbacks), "role listener", changes_kept) {
        listeners_.tell(seen_);
    }

    /// Listeners are told if the role, the epoch or the active member has changed.
    void show(Status now) {
        {
            const std::lock_guard lock(mutex_);
            now = failed_as_seen(std::move(now));
            const bool same = now.role == seen_.role && now.epoch == seen_.epoch &&
                              now.active == seen_.active;
            seen_ = now;
            if (same) return;
        }
        changed_.notify_all();
        listeners_.tell(std::move(now));
    }
    void fail(const Error& error) {
        Status now;
        {
            const std::lock_guard lock(mutex_);
            seen_.failed = error;
            seen_.role = Role::joining;
            now = seen_;
        }
        changed_.notify_all();
        listeners_.tell(std::move(now));
    }

    [[nodiscard]] Status seen() const {
        const std::lock_guard lock(mutex_);
        return seen_;
    }
    /// Errors: the failure (none); not_active (none): it is still joining.
    [[nodiscard]] Result<void> check_open() const {
        const std::lock_guard lock(mutex_);
        if (seen_.failed) return Error{.code = seen_.failed->code, .detail = seen_.failed->detail};
        if (seen_.role != Role::joining) return {};
        return Error{.code = Errc::not_active, .detail = "the journal is not open yet"};
    }
    /// `now`, with the failure if there was one.
    [[nodiscard]] Status with_failure(Status now) const {
        const std::lock_guard lock(mutex_);
        return failed_as_seen(std::move(now));
    }

    /// Both also end when it fails. Errors: that failure; bad_config, closed, timed_out (none).
    [[nodiscard]] Result<void> wait_open(Duration timeout) {
        return wait_for(timeout, [](Role role) { return role != Role::joining; });
    }
    [[nodiscard]] Result<void> wait_active(Duration timeout) {
        return wait_for(timeout, [](Role role) { return role == Role::active; });
    }

    /// The listener is called with the present status, then with each change.
    void listen(std::function<void(const Status&)> listener) {
        listeners_.add(std::move(listener));
    }

    /// Wakes every thread that waits. No listener is called any more. Requires: waiter.over().
    void close() {
        US_ASSERT(waiter_.over());
        listeners_.close();
        { const std::lock_guard lock(mutex_); }  // A thread that looked before it waits by now.
        changed_.notify_all();
    }

private:
    [[nodiscard]] Status failed_as_seen(Status now) const {
        now.failed = seen_.failed;
        if (now.failed) now.role = Role::joining;
        return now;
    }

    [[nodiscard]] Result<void> wait_for(Duration timeout, bool (*reached)(Role)) {
        US_CHECK(waiter_.check_thread());
        std::unique_lock lock(mutex_);
        const auto over = [&] { return reached(seen_.role) || seen_.failed || waiter_.over(); };
        changed_.wait_until(lock, to_steady(later(clock_now(), timeout)), over);
        if (seen_.failed) return *seen_.failed;
        if (waiter_.over()) return waiter_.closed(Effect::none);
        if (reached(seen_.role)) return {};
        return Error{.code = Errc::timed_out,
                     .detail = seen_.role == Role::joining ? "the journal is not open yet"
                               : seen_.active.empty()      ? "nobody is active"
                                                           : seen_.active + " is active"};
    }

    const Waiter& waiter_;
    Listeners<Status> listeners_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;  ///< The status has changed, or it is over.
    Status seen_;
};

}  // namespace understudy::library
