#include "library/callbacks.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "library/clock.h"
#include "library/guard.h"
#include "platform/thread.h"

namespace understudy::library {

struct Callbacks::State {
    explicit State(std::shared_ptr<Log> its_log) : log(std::move(its_log)) {}

    void run();
    bool take();
    void run_taken(TimePoint deadline);
    void spin() const;

    const std::shared_ptr<Log> log;
    std::thread thread;
    std::atomic<std::thread::id> thread_id{};

    std::mutex mutex;
    std::condition_variable posted;
    std::condition_variable ended_changed;
    std::deque<Task> queue;
    bool sleeping = false;
    bool closing = false;
    bool dropping = false;  // Time is over: what is left does not run.
    bool ended = false;
    std::atomic<std::size_t> waiting{0};  // Size of the queue, for spinning without the lock.

    std::deque<Task> taken;  // Callback thread only.
};

Callbacks::Callbacks(std::shared_ptr<Log> log, const std::string& name)
    : state_(std::make_shared<State>(std::move(log))) {
    state_->thread = platform::start_thread(name, [state = state_] { state->run(); });
    state_->thread_id = state_->thread.get_id();
}

Callbacks::~Callbacks() { close(TimePoint{}); }

bool Callbacks::post(Task task) {
    const std::lock_guard lock(state_->mutex);
    if (state_->closing) return false;
    state_->queue.push_back(std::move(task));
    state_->waiting.store(state_->queue.size(), std::memory_order_release);
    if (state_->sleeping) state_->posted.notify_one();
    return true;
}

bool Callbacks::on_thread() const { return state_->thread_id == std::this_thread::get_id(); }

Log& Callbacks::log() const { return *state_->log; }

void Callbacks::close(TimePoint deadline) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    if (!state.thread.joinable()) return;
    state.closing = true;
    state.posted.notify_one();
    if (on_thread()) {
        std::thread thread = std::move(state.thread);
        lock.unlock();
        thread.detach();
        do {
            state.run_taken(deadline);
        } while (state.take());
        return;
    }
    std::thread thread = std::move(state.thread);
    state.ended_changed.wait_until(lock, to_steady(deadline), [&] { return state.ended; });
    if (state.ended) {
        lock.unlock();
        thread.join();
    } else {
        state.dropping = true;
        thread.detach();
    }
}

// The queue becomes what is taken. False if it was empty.
bool Callbacks::State::take() {
    const std::lock_guard lock(mutex);
    if (dropping) queue.clear();
    taken.swap(queue);
    waiting.store(0, std::memory_order_release);
    return !taken.empty();
}

void Callbacks::State::run_taken(TimePoint deadline) {
    while (!taken.empty()) {
        const Task task = std::move(taken.front());
        taken.pop_front();
        if (deadline != TimePoint::max() && clock_now() > deadline) {
            const std::lock_guard lock(mutex);
            dropping = true;
        }
        {
            const std::lock_guard lock(mutex);
            if (dropping) continue;
        }
        guarded(*log, "task", task);
    }
}

void Callbacks::State::spin() const {
    const TimePoint spin_end = clock_now() + spin_max;
    while (waiting.load(std::memory_order_acquire) == 0 && clock_now() < spin_end) relax();
}

void Callbacks::State::run() {
    for (;;) {
        if (take()) {
            run_taken(TimePoint::max());
            spin();
            continue;
        }
        std::unique_lock lock(mutex);
        if (!queue.empty()) continue;
        if (closing) break;
        sleeping = true;
        posted.wait(lock, [this] { return closing || !queue.empty(); });
        sleeping = false;
    }
    const std::lock_guard lock(mutex);
    ended = true;
    ended_changed.notify_all();
}

}  // namespace understudy::library
