#include "platform/loop.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace understudy::platform {

namespace {

constexpr std::size_t read_buffer_bytes = 256 * KiB;
constexpr std::size_t plain_buffer_bytes = 64 * KiB;
constexpr std::size_t spare_bytes_max = 4 * MiB;
constexpr std::size_t tasks_kept_max = 4096;  // The memory of a burst is not kept for ever.
constexpr int poll_handlers_max = 64;         // After this many, poll() returns to its caller.

TimePoint clock_now() {
    return TimePoint(std::chrono::steady_clock::now().time_since_epoch());
}

std::span<std::byte> ensure(std::unique_ptr<std::byte[]>& buffer, std::size_t size) {
    if (!buffer) buffer = std::make_unique_for_overwrite<std::byte[]>(size);
    return {buffer.get(), size};
}

}  // namespace

Loop::Frame::Frame(Loop& loop) : loop_(loop) {
    US_ASSERT(!loop.in_frame_);
    loop.now_ = clock_now();
    loop.in_frame_ = true;
}

Loop::Frame::~Frame() {
    loop_.next_frame();
    loop_.in_frame_ = false;
}

void Loop::next_frame() {
    const TimePoint now = clock_now();
    ++figures_.handlers;
    figures_.handler_time_max = std::max(figures_.handler_time_max, now - now_);
    now_ = now;
}

class Loop::LoopTimer final : public Timer, public TimerHeap::Node {
public:
    LoopTimer(TimerHeap& heap, TimePoint deadline, Task task)
        : heap_(heap), task_(std::move(task)) {
        when = deadline;
        heap_.add(*this);
    }
    ~LoopTimer() override {
        if (slot != TimerHeap::none) heap_.remove(*this);
    }
    LoopTimer(const LoopTimer&) = delete;
    LoopTimer& operator=(const LoopTimer&) = delete;

    /// Moves the task out, because the task may destroy the timer.
    [[nodiscard]] Task take() {
        heap_.remove(*this);
        return std::move(task_);
    }

private:
    TimerHeap& heap_;
    Task task_;
};

Loop::Loop(Log& log)
    : log_(log),
      descriptors_(log),
      // Posted after all that is ready now: the end of the turn.
      turn_ends_([this] { asio::post(context_, [this] { end_turn(); }); }),
      context_(1),
      work_(asio::make_work_guard(context_)),
      wake_(context_) {}

Loop::~Loop() {
    // A task that never runs may own timers or connections, so it is destroyed while they still can
    // be.
    for (std::vector<Task> left; left.swap(tasks_), !left.empty();) left.clear();
}

void Loop::run() {
    context_.run();
}

bool Loop::poll() {
    int handlers = 0;
    while (handlers < poll_handlers_max && context_.poll_one() > 0) ++handlers;
    return handlers > 0;
}

bool Loop::poll_for(Duration wait_max) {
    if (context_.run_one_for(wait_max) == 0) return false;
    poll();
    return true;
}

void Loop::stop() {
    context_.stop();
}

void Loop::post(Task task) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = tasks_.empty();
        tasks_.push_back(std::move(task));
    }
    if (first) asio::post(context_, [this] { run_tasks(); });
}

void Loop::run_tasks() {
    {
        const std::lock_guard lock(mutex_);
        running_.swap(tasks_);
    }
    for (Task& task : running_) {
        const Frame frame(*this);
        task();
        task = nullptr;
    }
    running_.clear();
    if (running_.capacity() > tasks_kept_max) running_ = {};
}

std::unique_ptr<Timer> Loop::at(TimePoint when, Task task) {
    auto timer = std::make_unique<LoopTimer>(timers_, when, std::move(task));
    arm_wake_timer();
    return timer;
}

// Only an earlier deadline costs a system call. After a cancellation the timer may fire without
// effect.
void Loop::arm_wake_timer() {
    const TimerHeap::Node* first = timers_.first();
    if (first == nullptr || first->when >= armed_for_) return;
    armed_for_ = first->when;
    wake_.expires_at(std::chrono::steady_clock::time_point(armed_for_.time_since_epoch()));
    wake_.async_wait([this](const boost::system::error_code& error) {
        if (!error) fire_timers();
    });
}

void Loop::fire_timers() {
    armed_for_ = TimePoint::max();
    const TimePoint due = clock_now();
    // Timers that are added meanwhile wait for the next turn.
    const std::uint64_t order_end = timers_.next_order();
    for (;;) {
        TimerHeap::Node* first = timers_.first();
        if (first == nullptr || first->when > due || first->order >= order_end) break;
        const Task task = static_cast<LoopTimer*>(first)->take();
        const Frame frame(*this);
        task();
    }
    arm_wake_timer();
}

void Loop::end_turn() {
    turn_ends_.run([this](const Task& task) {
        const Frame frame(*this);
        task();
    });
}

Result<Descriptor> Loop::adopt(Fd fd) {
    descriptors_.saw(fd.get());
    Descriptor descriptor(context_);
    boost::system::error_code error;
    descriptor.assign(fd.get(), error);
    if (error) return Error{.code = Errc::limit_exceeded, .detail = "epoll: " + error.message()};
    (void)fd.release();
    return descriptor;
}

TimePoint Loop::now() const {
    return in_frame_ ? now_ : clock_now();
}

std::span<std::byte> Loop::read_buffer() {
    return ensure(read_buffer_, read_buffer_bytes);
}

std::span<std::byte> Loop::plain_buffer() {
    return ensure(plain_buffer_, plain_buffer_bytes);
}

Buffer Loop::take_buffer() {
    if (spare_buffers_.empty()) return {};
    Buffer buffer = std::move(spare_buffers_.back());
    spare_buffers_.pop_back();
    spare_bytes_ -= buffer.capacity();
    return buffer;
}

void Loop::give_back(Buffer buffer) {
    if (buffer.capacity() == 0 || spare_bytes_ + buffer.capacity() > spare_bytes_max) return;
    spare_bytes_ += buffer.capacity();
    buffer.clear();
    spare_buffers_.push_back(std::move(buffer));
}

}  // namespace understudy::platform
