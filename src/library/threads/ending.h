#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "library/threads/callbacks.h"
#include "library/threads/loop_thread.h"
#include "understudy/types.h"

namespace understudy::library {

/// Ends an object that uses a loop and a callback thread, its own or shared ones. This happens once
/// and in bounded time. A second call waits for the end, if its thread may wait.
///
/// Thread: any.
class Ending {
public:
    static constexpr Duration close_max = 2s;

    /// Only the first call calls `begin`, which must refuse new work from then on and post a task
    /// to the loop. That task ends the present work, then calls leave().
    void run(Duration limit, LoopThread& loop, Callbacks& callbacks,
             const std::function<void()>& begin);
    /// Nothing of the object is on the loop any more. Requires: on the loop, called once.
    void leave(LoopThread& loop);
    [[nodiscard]] bool begun() const { return begun_.load(); }

private:
    void wait_left(LoopThread& loop, TimePoint deadline);

    std::atomic<bool> begun_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool left_ = false;   ///< The loop.
    bool ended_ = false;  ///< The loop has ended with that.
    bool over_ = false;
};

}  // namespace understudy::library
