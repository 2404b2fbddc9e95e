#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "library/threads/once.h"
#include "runtime/runtime.h"

namespace understudy::library {

/// One event loop and the thread that runs it.
///
/// The thread that holds the *seat* runs the loop. A thread that waits for an answer takes the seat
/// meanwhile, if no other thread waits: then the answer comes without a change of threads. After
/// that the loop's own thread stays away for `parked_max`, so that the next call finds the seat
/// free. post() wakes it at once if no thread is in the seat.
///
/// A loop that has served a call and expects the next one soon spins for a while before it sleeps.
/// (Not after a change of a record: many loops that spin at once keep each other from work.)
///
/// Thread: any; runtime() and served() only the loop.
class LoopThread {
public:
    using Task = Runtime::Task;
    static constexpr Duration spin_max = 50us;     ///< While a call is expected. Never when idle.
    static constexpr Duration parked_max = 250us;  ///< Input after a call may be seen so late.

    LoopThread(std::shared_ptr<Log> log, const std::string& name);
    /// As stop(). It does not wait for a task that runs on the loop.
    ~LoopThread();
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;

    /// Requires: on_loop().
    [[nodiscard]] Runtime& runtime();
    /// A call has come. If it came soon after another one, the next is expected soon.
    void served();
    /// Whether this thread runs the loop.
    [[nodiscard]] bool on_loop() const;

    /// Returns false if the loop has ended: the task is dropped. Tasks that did not run are
    /// destroyed when the loop ends.
    bool post(Task task);

    /// Runs `task` on the loop and returns when it is done. Returns false if the loop ended before.
    bool run(const std::function<void()>& task);

    /// Posts `begin`, then waits until `answer` is set. Returns nullopt if it is not set by then.
    /// Requires: not on the loop.
    template <class T>
    [[nodiscard]] std::optional<T> await(Task begin, Once<T>& answer, TimePoint deadline) {
        const Waiting waiting(*this);
        if (!begin_waiting(std::move(begin))) return std::nullopt;
        wait_in_seat([&answer] { return answer.done(); }, deadline);
        return answer.wait_until(deadline);
    }

    /// Adds or removes a user. The last leave() stops the loop and returns true. Its creator is its
    /// first user.
    void enter();
    bool leave();

    /// Ends the loop after the present task.
    void stop();
    /// Waits for the end and returns true. Returns false if it did not come by `deadline`: then the
    /// thread is detached. Requires: not on the loop.
    bool join(TimePoint deadline);

private:
    struct State;

    class Waiting {
    public:
        explicit Waiting(LoopThread& loop);
        ~Waiting();
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;

    private:
        LoopThread& loop_;
    };

    bool begin_waiting(Task begin);
    // Runs the loop until `done`, if the seat becomes free soon.
    void wait_in_seat(const std::function<bool()>& done, TimePoint deadline);

    std::shared_ptr<State> state_;  // Shared with the thread, which may outlive this.
};

}  // namespace understudy::library
