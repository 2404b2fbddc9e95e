#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "understudy/types.h"

namespace understudy::library {

class CallbackThread;

/// All callbacks of an agent. They run one at a time, in order, on one thread, which may also run
/// callbacks of other agents.
///
/// An exception of a callback is caught and logged.
///
/// Bounds: none. Each caller of post() bounds its own tasks (Listeners, Inbox, calls_waiting_max).
/// Thread: any.
class Callbacks {
public:
    using Task = std::function<void()>;

    /// Starts a thread for these callbacks.
    Callbacks(std::shared_ptr<Log> log, const std::string& name);
    Callbacks(std::shared_ptr<Log> log, std::shared_ptr<CallbackThread> thread);
    /// As close(), but it does not wait for a task that is running.
    ~Callbacks();
    Callbacks(const Callbacks&) = delete;
    Callbacks& operator=(const Callbacks&) = delete;

    /// Returns false after close(): the task is dropped.
    bool post(Task task);
    /// Whether this is the callback thread, also while it runs a callback of another agent.
    [[nodiscard]] bool on_thread() const;
    [[nodiscard]] Log& log() const;

    /// Refuses further tasks, runs those that wait, then leaves the thread. It does not wait longer
    /// than `deadline`: then the tasks that wait are dropped. Called on the callback thread, it
    /// runs them itself, before tasks of other agents. Idempotent.
    void close(TimePoint deadline);

private:
    friend class CallbackThread;
    struct State;
    std::shared_ptr<State> state_;  // Shared with the thread, which may outlive this.
};

/// The thread on which callbacks run, in the order in which they were posted by all its users.
///
/// After a task that came alone it spins for up to `spin_max` before it sleeps, if that has helped
/// recently, since a wake-up takes that long. It never spins when it is idle. It ends when its last
/// user has left.
/// Thread: any.
class CallbackThread {
public:
    static constexpr Duration spin_max = 20us;

    /// Its creator is its first user.
    explicit CallbackThread(const std::string& name);
    CallbackThread(const CallbackThread&) = delete;
    CallbackThread& operator=(const CallbackThread&) = delete;

    /// Adds or removes a user. The last leave() waits for the thread's end until `deadline`, unless
    /// it is called on this thread.
    /// Requires: leave() is called once for each user.
    void enter();
    void leave(TimePoint deadline);
    [[nodiscard]] bool here() const;

private:
    friend class Callbacks;
    struct State;
    const std::shared_ptr<State> state_;
};

}  // namespace understudy::library
