#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "library/threads/callbacks.h"
#include "library/threads/loop_thread.h"
#include "understudy/types.h"

namespace understudy::library {

/// The end of what has a loop and a callback thread of its own: once, and in bounded time. Who asks
/// again waits for it, if it may.
///
/// Thread: any.
class Ending {
public:
    static constexpr Duration close_max = 2s;

    /// `begin` is called by the first only: nothing more is taken, and the loop is told to stop.
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
