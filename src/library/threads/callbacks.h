#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "understudy/types.h"

namespace understudy::library {

class CallbackThread;

/// All callbacks of an agent: they run one at a time, in order, on one thread, which may serve
/// those of other agents in between.
///
/// What a callback throws is caught and logged.
///
/// Bounds: none of its own: whoever posts has at most one task waiting per thing to tell, or bounds
///         them (Listeners, Inbox, calls_waiting_max).
/// Thread: any.
class Callbacks {
public:
    using Task = std::function<void()>;

    /// With a thread of its own.
    Callbacks(std::shared_ptr<Log> log, const std::string& name);
    Callbacks(std::shared_ptr<Log> log, std::shared_ptr<CallbackThread> thread);
    /// As close(), without waiting for a task that is under way.
    ~Callbacks();
    Callbacks(const Callbacks&) = delete;
    Callbacks& operator=(const Callbacks&) = delete;

    /// False after close(): the task is dropped.
    bool post(Task task);
    /// On the thread, whoever's callback it runs.
    [[nodiscard]] bool on_thread() const;
    [[nodiscard]] Log& log() const;

    /// Takes nothing more, runs what was posted, then leaves the thread. A task that is still under
    /// way at `deadline` is left to itself, and those behind it are dropped. Called on the thread,
    /// it runs the others itself, before those of other agents. Idempotent.
    void close(TimePoint deadline);

private:
    friend class CallbackThread;
    struct State;
    std::shared_ptr<State> state_;  // Shared with the thread, which may outlive this.
};

/// The thread on which callbacks run: in the order in which they were posted, whosever they are.
///
/// After a task that came alone it spins for up to `spin_max` before it sleeps, if that has paid
/// lately, since being woken takes that long; it never spins when idle. It ends when its last user
/// has left.
/// Thread: any.
class CallbackThread {
public:
    static constexpr Duration spin_max = 20us;

    /// Whoever makes it is its first user.
    explicit CallbackThread(const std::string& name);
    CallbackThread(const CallbackThread&) = delete;
    CallbackThread& operator=(const CallbackThread&) = delete;

    /// One more, or one less; the last one waits for the thread's end, until `deadline` and not on
    /// the thread itself. Requires: as many calls of leave() as there were users.
    void enter();
    void leave(TimePoint deadline);
    [[nodiscard]] bool here() const;

private:
    friend class Callbacks;
    struct State;
    const std::shared_ptr<State> state_;
};

}  // namespace understudy::library
