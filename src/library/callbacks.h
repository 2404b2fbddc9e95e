#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "understudy/types.h"

namespace understudy::library {

/// The one thread on which all callbacks of an agent run, one at a time, in order.
///
/// What a callback throws is caught and logged. The thread spins for `spin_max` after it has done
/// something before it sleeps, since being woken on another core takes that long; it never spins
/// when idle.
///
/// Bounds: none of its own: whoever posts has at most one task waiting per thing to tell, or bounds
///         them (Listeners, Inbox, calls_waiting_max).
/// Thread: any.
class Callbacks {
public:
    using Task = std::function<void()>;
    static constexpr Duration spin_max = 20us;

    Callbacks(std::shared_ptr<Log> log, const std::string& name);
    /// As close(), without waiting for a task that is under way.
    ~Callbacks();
    Callbacks(const Callbacks&) = delete;
    Callbacks& operator=(const Callbacks&) = delete;

    /// False after close(): the task is dropped.
    bool post(Task task);
    [[nodiscard]] bool on_thread() const;
    [[nodiscard]] Log& log() const;

    /// Takes nothing more, runs what was posted, then ends the thread. A task that is still under
    /// way at `deadline` is left to itself, and those behind it are dropped. Called by a task, it
    /// runs the others itself; the thread ends when that task does. Idempotent.
    void close(TimePoint deadline);

private:
    struct State;
    std::shared_ptr<State> state_;  // Shared with the thread, which may outlive this.
};

}  // namespace understudy::library
