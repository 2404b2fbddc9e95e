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
/// A thread that waits for an answer takes the loop's seat meanwhile, if nobody else waits: then
/// the answer comes without a change of threads. The loop's own thread stays away for `parked_max`
/// after that, so that the next call finds the seat free; it is called back at once by whoever
/// posts something and sees nobody in the seat.
///
/// A loop that has served a call and expects the next one soon looks out for it for a while before
/// it sleeps. (Not after a change: many loops that look out at once keep each other from work.)
///
/// Thread: any, except runtime() and served(), which are for the loop.
class LoopThread {
public:
    using Task = Runtime::Task;
    static constexpr Duration spin_max = 50us;     ///< While something is expected; never idle.
    static constexpr Duration parked_max = 250us;  ///< How late input may be seen after a call.

    LoopThread(std::shared_ptr<Log> log, const std::string& name);
    /// As stop(); a task that still runs on the loop is left to itself.
    ~LoopThread();
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;

    /// Requires: on_loop().
    [[nodiscard]] Runtime& runtime();
    /// A call has come: if it came soon after another, the next is expected soon.
    void served();
    /// True on whatever thread runs the loop now.
    [[nodiscard]] bool on_loop() const;

    /// False if the loop has ended: the task is dropped. Posted tasks that did not run are
    /// destroyed when the loop ends.
    bool post(Task task);

    /// Runs `task` on the loop and returns when it is done. False if the loop ended before.
    bool run(const std::function<void()>& task);

    /// Posts `begin`, then waits for the answer that it leads to; nothing if there is none by then.
    /// Requires: not on the loop.
    template <class T>
    [[nodiscard]] std::optional<T> await(Task begin, Once<T>& answer, TimePoint deadline) {
        const Waiting waiting(*this);
        if (!begin_waiting(std::move(begin))) return std::nullopt;
        wait_in_seat([&answer] { return answer.done(); }, deadline);
        return answer.wait_until(deadline);
    }

    /// One more who uses the loop, or one less; true, and stop(), if that was the last one. Whoever
    /// makes it is its first user.
    void enter();
    bool leave();

    /// Ends the loop after the task it is at.
    void stop();
    /// Waits for the end, then true; false if it had not come by `deadline`: the thread is left to
    /// itself. Requires: not on the loop.
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
    // Runs the loop until `done`, if the seat gets free soon.
    void wait_in_seat(const std::function<bool()>& done, TimePoint deadline);

    std::shared_ptr<State> state_;  // Shared with the thread, which may outlive this.
};

}  // namespace understudy::library
