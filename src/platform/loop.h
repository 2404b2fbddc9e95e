#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/log.h"
#include "platform/asio.h"
#include "platform/asio_runtime.h"
#include "platform/machine/descriptors.h"
#include "platform/network/fd.h"
#include "platform/timer_heap.h"
#include "runtime/runtime.h"

namespace understudy::platform {

/// The event loop on which all else in this folder runs: one io_context, its tasks and timers, what
/// happens at the end of a turn, and the buffers that connections share.
///
/// Thread: the one that runs it; post() and stop() from any.
class Loop {
public:
    using Task = Runtime::Task;

    /// Surrounds everything that the loop calls: it fixes now() and measures the duration.
    class Frame {
    public:
        explicit Frame(Loop& loop);
        ~Frame();
        Frame(const Frame&) = delete;
        Frame& operator=(const Frame&) = delete;

    private:
        Loop& loop_;
    };

    /// Within a frame: what follows is a task of its own, with its own now().
    void next_frame();

    explicit Loop(Log& log);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run();
    bool poll();
    bool poll_for(Duration wait_max);
    void stop();

    void post(Task task);
    [[nodiscard]] std::unique_ptr<Timer> at(TimePoint when, Task task);

    /// What happens at the end of a turn. Each task has a frame of its own.
    [[nodiscard]] TurnEnds& turn_ends() { return turn_ends_; }

    [[nodiscard]] TimePoint now() const;
    [[nodiscard]] asio::io_context& context() { return context_; }
    /// Registers `fd` with the kernel for this loop. Errors: limit_exceeded (none).
    [[nodiscard]] Result<Descriptor> adopt(Fd fd);
    [[nodiscard]] Log& log() { return log_; }
    [[nodiscard]] const DescriptorWatch& descriptors() const { return descriptors_; }
    [[nodiscard]] LoopFigures& figures() { return figures_; }

    /// The buffer for received bytes. There is one for all connections: it is free again when the
    /// handler returns.
    [[nodiscard]] std::span<std::byte> read_buffer();
    /// The same for decrypted bytes.
    [[nodiscard]] std::span<std::byte> plain_buffer();

    /// Empty buffers are used again, so a connection has one only while it has output.
    [[nodiscard]] Buffer take_buffer();
    void give_back(Buffer buffer);

private:
    class LoopTimer;

    void run_tasks();
    void end_turn();
    void fire_timers();
    void arm_wake_timer();

    Log& log_;
    DescriptorWatch descriptors_;
    LoopFigures figures_;
    std::unique_ptr<std::byte[]> read_buffer_;
    std::unique_ptr<std::byte[]> plain_buffer_;
    std::vector<Buffer> spare_buffers_;
    std::size_t spare_bytes_ = 0;  // Their capacity.

    TimerHeap timers_;
    // The time for which wake_ is set; max: it is not set.
    TimePoint armed_for_ = TimePoint::max();
    TimePoint now_{};
    bool in_frame_ = false;
    TurnEnds turn_ends_;

    // Destroyed before the timers, because handlers that never ran own objects that own timers.
    asio::io_context context_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    WakeTimer wake_;

    std::vector<Task> running_;
    std::mutex mutex_;
    std::vector<Task> tasks_;  // Guarded by mutex_.
};

}  // namespace understudy::platform
