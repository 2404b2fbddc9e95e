#include "library/threads/callbacks.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>

#include "library/threads/clock.h"
#include "library/threads/guard.h"
#include "library/threads/spin_habit.h"
#include "platform/thread.h"

namespace understudy::library {

struct Callbacks::State {
    State(std::shared_ptr<Log> its_log, std::shared_ptr<CallbackThread> its_thread)
        : log(std::move(its_log)), thread(std::move(its_thread)) {}

    const std::shared_ptr<Log> log;
    const std::shared_ptr<CallbackThread> thread;
    std::atomic<std::size_t> left{0};   // Tasks that wait or run.
    std::atomic<bool> closing{false};   // Set under the thread's mutex.
    std::atomic<bool> dropping{false};  // The deadline has passed: tasks that wait do not run.
};

struct CallbackThread::State {
    struct Item {
        std::shared_ptr<Callbacks::State> of;
        Callbacks::Task task;
    };

    void run();
    bool take();
    void run_one(Item item);
    void run_those_of(Callbacks::State& of, TimePoint deadline);
    void spin();
    [[nodiscard]] bool here() const { return thread_id == std::this_thread::get_id(); }

    std::thread thread;
    std::atomic<std::thread::id> thread_id{};

    std::mutex mutex;
    std::condition_variable posted;
    std::condition_variable settled;  // The last task of a user is done, or the thread has ended.
    std::deque<Item> queue;
    std::size_t users = 1;
    bool sleeping = false;
    bool ended = false;
    std::atomic<std::size_t> waiting{0};  // The size of the queue, to spin without the lock.

    // Only for this thread.
    std::deque<Item> taken;
    SpinHabit habit;
};

// --- Callbacks -----------------------------------------------------------------------------------

Callbacks::Callbacks(std::shared_ptr<Log> log, const std::string& name)
    : state_(std::make_shared<State>(std::move(log), std::make_shared<CallbackThread>(name))) {}

Callbacks::Callbacks(std::shared_ptr<Log> log, std::shared_ptr<CallbackThread> thread)
    : state_(std::make_shared<State>(std::move(log), std::move(thread))) {
    state_->thread->enter();
}

Callbacks::~Callbacks() { close(TimePoint{}); }

bool Callbacks::post(Task task) {
    CallbackThread::State& thread = *state_->thread->state_;
    const std::lock_guard lock(thread.mutex);
    if (state_->closing.load()) return false;
    state_->left.fetch_add(1);
    thread.queue.push_back({state_, std::move(task)});
    thread.waiting.store(thread.queue.size(), std::memory_order_release);
    if (thread.sleeping) thread.posted.notify_one();
    return true;
}

bool Callbacks::on_thread() const { return state_->thread->here(); }

Log& Callbacks::log() const { return *state_->log; }

void Callbacks::close(TimePoint deadline) {
    const std::shared_ptr<State> state = state_;  // A task may destroy this meanwhile.
    CallbackThread::State& thread = *state->thread->state_;
    {
        std::unique_lock lock(thread.mutex);
        if (state->closing.exchange(true)) return;
        if (!thread.here()) {
            const bool done = thread.settled.wait_until(lock, to_steady(deadline),
                                                        [&] { return state->left.load() == 0; });
            if (!done) state->dropping.store(true);
        }
    }
    if (thread.here()) thread.run_those_of(*state, deadline);
    state->thread->leave(deadline);
}

// --- The thread ----------------------------------------------------------------------------------

CallbackThread::CallbackThread(const std::string& name) : state_(std::make_shared<State>()) {
    const std::lock_guard lock(state_->mutex);
    state_->thread = platform::start_thread(name, [state = state_] { state->run(); });
    state_->thread_id = state_->thread.get_id();
}

bool CallbackThread::here() const { return state_->here(); }

void CallbackThread::enter() {
    const std::lock_guard lock(state_->mutex);
    US_ASSERT(state_->users > 0);
    ++state_->users;
}

void CallbackThread::leave(TimePoint deadline) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    US_ASSERT(state.users > 0);
    if (--state.users > 0) return;
    state.posted.notify_one();
    std::thread thread = std::move(state.thread);
    if (state.here()) return thread.detach();
    state.settled.wait_until(lock, to_steady(deadline), [&] { return state.ended; });
    const bool ended = state.ended;
    lock.unlock();
    ended ? thread.join() : thread.detach();
}

// Moves the queue to `taken`. Returns false if it was empty.
bool CallbackThread::State::take() {
    const std::lock_guard lock(mutex);
    taken.swap(queue);
    waiting.store(0, std::memory_order_release);
    return !taken.empty();
}

// The task is destroyed before it is reported as done.
void CallbackThread::State::run_one(Item item) {
    Callbacks::State& of = *item.of;
    if (!of.dropping.load()) guarded(*of.log, "task", item.task);
    item.task = nullptr;
    if (of.left.fetch_sub(1) > 1 || !of.closing.load()) return;
    const std::lock_guard lock(mutex);
    settled.notify_all();
}

// First those of `taken`, then those of the queue. A task may close another user, which removes the
// tasks of that user.
void CallbackThread::State::run_those_of(Callbacks::State& of, TimePoint deadline) {
    for (;;) {
        std::deque<Item> own;
        const auto move_out = [&](std::deque<Item>& from) {
            const auto begin = std::stable_partition(
                from.begin(), from.end(), [&](const Item& each) { return each.of.get() != &of; });
            own.insert(own.end(), std::make_move_iterator(begin),
                       std::make_move_iterator(from.end()));
            from.erase(begin, from.end());
        };
        move_out(taken);
        {
            const std::lock_guard lock(mutex);
            move_out(queue);
            waiting.store(queue.size(), std::memory_order_release);
        }
        if (own.empty()) return;
        for (; !own.empty(); own.pop_front()) {
            if (deadline != TimePoint::max() && clock_now() > deadline) of.dropping.store(true);
            run_one(std::move(own.front()));
        }
    }
}

// Spins for a bounded time: other threads need this processor too.
void CallbackThread::State::spin() {
    if (!habit.wants()) return;
    const TimePoint spin_end = clock_now() + spin_max;
    TimePoint now{};
    do {
        std::this_thread::yield();  // The thread that posts the next task may need this processor.
        now = clock_now();
    } while (waiting.load(std::memory_order_acquire) == 0 && now < spin_end);
    habit.ended(now < spin_end);
}

void CallbackThread::State::run() {
    for (;;) {
        if (take()) {
            const bool single = taken.size() == 1;
            while (!taken.empty()) {
                Item next = std::move(taken.front());
                taken.pop_front();
                run_one(std::move(next));
            }
            if (single) spin();
            continue;
        }
        std::unique_lock lock(mutex);
        if (!queue.empty()) continue;
        if (users == 0) break;
        sleeping = true;
        posted.wait(lock, [this] { return users == 0 || !queue.empty(); });
        sleeping = false;
    }
    const std::lock_guard lock(mutex);
    ended = true;
    settled.notify_all();
}

}  // namespace understudy::library
