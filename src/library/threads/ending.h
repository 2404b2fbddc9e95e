#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "library/threads/callbacks.h"
#include "library/threads/loop_thread.h"
#include "understudy/types.h"

namespace understudy::library {

/// The end of an object that has its own loop and callback thread: once, and in bounded time. A
/// second call waits for that end, if its thread may wait.
///
/// Thread: any.
class Ending {
public:
    static constexpr Duration close_max = 2s;

    /// Only the first call calls `begin`, which takes no new work and makes the loop stop.
    void run(Duration limit, LoopThread& loop, Callbacks& callbacks,
             const std::function<void()>& begin);
    [[nodiscard]] bool begun() const { return begun_.load(); }

private:
    std::atomic<bool> begun_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
};

}  // namespace understudy::library
