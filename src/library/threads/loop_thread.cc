#include "library/threads/loop_thread.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "library/threads/clock.h"
#include "library/threads/spin_habit.h"
#include "platform/asio_runtime.h"
#include "platform/thread.h"

namespace understudy::library {

namespace {

constexpr Duration wait_max = 1h;    // The longest sleep of an idle loop.
constexpr Duration gap_max = 200us;  // Between calls of which the next is expected soon.

// The loops that this thread runs, the innermost last.
struct Seated {
    const void* loop;
    const Seated* outer;
};
thread_local const Seated* seated_here = nullptr;

}  // namespace

struct LoopThread::State {
    explicit State(std::shared_ptr<Log> its_log)
        : log(std::move(its_log)), runtime(std::make_unique<platform::AsioRuntime>(*log)) {}

    class Seat;

    void run_thread();
    bool serve();
    void look_out();
    void park();
    void unpark();
    void drive(const std::function<bool()>& done, TimePoint deadline, TimePoint spin_end);

    const std::shared_ptr<Log> log;

    std::mutex mutex;  // Guards what follows, up to the thread.
    std::condition_variable ended_changed;
    bool ended = false;
    std::unique_ptr<platform::AsioRuntime> runtime;  // Changed only at the end, in the seat.
    std::thread thread;

    std::atomic<int> users{1};
    std::atomic<bool> stopping{false};
    std::mutex seat;                    // Held by the thread that runs the loop.
    std::atomic<bool> seated{false};    // A thread runs the loop.
    std::atomic<bool> parked{false};    // The loop's own thread stays away.
    std::atomic<bool> wanted{false};    // A thread that waits wants the seat.
    std::atomic<bool> unserved{false};  // A task was posted since the thread in the seat looked.
    std::atomic<int> waiting{0};        // Threads in wait_in_seat().
    std::atomic<TimePoint::rep> left_last{0};  // When a waiting thread last left the seat.

    // Loop only.
    int served = 0;  // Calls since the loop last looked.
    TimePoint served_last;
    SpinHabit habit;

    std::mutex park_mutex;
    std::condition_variable unparked_changed;
    bool unparked = false;
};

// The thread that holds it runs the loop.
class LoopThread::State::Seat {
public:
    Seat(State& state, std::unique_lock<std::mutex> lock)
        : state_(state), lock_(std::move(lock)), here_{&state, seated_here} {
        seated_here = &here_;
        state_.seated.store(true);
    }
    ~Seat() {
        state_.seated.store(false);
        seated_here = here_.outer;
    }
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;

private:
    State& state_;
    const std::unique_lock<std::mutex> lock_;
    const Seated here_;
};

LoopThread::LoopThread(std::shared_ptr<Log> log, const std::string& name)
    : state_(std::make_shared<State>(std::move(log))) {
    const std::lock_guard lock(state_->mutex);
    state_->thread = platform::start_thread(name, [state = state_] { state->run_thread(); });
}

LoopThread::~LoopThread() {
    stop();
    const std::lock_guard lock(state_->mutex);
    if (state_->thread.joinable()) state_->thread.detach();
}

void LoopThread::served() { ++state_->served; }

bool LoopThread::on_loop() const {
    for (const Seated* here = seated_here; here != nullptr; here = here->outer) {
        if (here->loop == state_.get()) return true;
    }
    return false;
}

Runtime& LoopThread::runtime() {
    US_ASSERT(on_loop());
    return *state_->runtime;
}

bool LoopThread::post(Task task) {
    // The task may lead to the destruction of this object in another thread before we return.
    const std::shared_ptr<State> kept = state_;
    State& state = *kept;
    {
        const std::lock_guard lock(state.mutex);
        if (state.ended) return false;
        state.runtime->post(std::move(task));
    }
    if (state.parked.load()) {
        // Set first, then read; the seat is left in the opposite order. So at least one side
        // notices.
        state.unserved.store(true);
        if (!state.seated.load()) state.unpark();
    }
    return true;
}

bool LoopThread::run(const std::function<void()>& task) {
    if (on_loop()) {
        task();
        return true;
    }
    // Its destructor also sets the result if the task is destroyed without having run.
    struct Attempt {
        std::shared_ptr<Once<bool>> ran = std::make_shared<Once<bool>>();
        ~Attempt() { ran->set(false); }
    };
    auto attempt = std::make_shared<Attempt>();
    const auto ran = attempt->ran;
    return await(
               [&task, attempt = std::move(attempt)] {
                   task();
                   attempt->ran->set(true);
               },
               *ran, TimePoint::max())
        .value_or(false);
}

void LoopThread::enter() { US_ASSERT(state_->users.fetch_add(1) > 0); }

bool LoopThread::leave() {
    const int before = state_->users.fetch_sub(1);
    US_ASSERT(before > 0);
    if (before == 1) stop();
    return before == 1;
}

void LoopThread::stop() {
    State& state = *state_;
    {
        const std::lock_guard lock(state.mutex);
        if (state.ended) return;
        state.stopping.store(true);
        state.runtime->stop();
    }
    state.unpark();
}

bool LoopThread::join(TimePoint deadline) {
    US_ASSERT(!on_loop());
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    state.ended_changed.wait_until(lock, to_steady(deadline), [&] { return state.ended; });
    if (!state.thread.joinable()) return state.ended;
    std::thread thread = std::move(state.thread);
    const bool ended = state.ended;
    lock.unlock();
    ended ? thread.join() : thread.detach();
    return ended;
}

LoopThread::Waiting::Waiting(LoopThread& loop) : loop_(loop) {
    US_ASSERT(!loop.on_loop());
    loop_.state_->waiting.fetch_add(1);
}

// If another thread still waits, or a posted task was not noticed, the loop's own thread is needed.
LoopThread::Waiting::~Waiting() {
    State& state = *loop_.state_;
    const bool others = state.waiting.fetch_sub(1) > 1;
    const bool needed = others || state.unserved.load();
    if (needed && state.parked.load() && !state.seated.load()) state.unpark();
}

bool LoopThread::begin_waiting(Task begin) {
    State& state = *state_;
    const std::lock_guard lock(state.mutex);
    if (state.ended) return false;
    // This wakes the thread in the seat. If there is none, we take the seat ourselves.
    state.runtime->post(std::move(begin));
    return true;
}

void LoopThread::wait_in_seat(const std::function<bool()>& done, TimePoint deadline) {
    State& state = *state_;
    const TimePoint spin_end = later(clock_now(), spin_max);
    bool asked = state.waiting.load() > 1;  // If many threads wait, the loop's own thread is best.
    for (; !done(); std::this_thread::yield()) {
        if (std::unique_lock lock(state.seat, std::try_to_lock); lock.owns_lock()) {
            const State::Seat seat(state, std::move(lock));
            return state.drive(done, deadline, spin_end);
        }
        if (!std::exchange(asked, true)) state.wanted.store(true);
        if (clock_now() >= spin_end) return;
    }
}

// Runs the loop in a thread that waits. ~Waiting() wakes the loop's own thread if work is left.
void LoopThread::State::drive(const std::function<bool()>& done, TimePoint deadline,
                              TimePoint spin_end) {
    wanted.store(false);
    while (!done() && !stopping.load()) {
        unserved.store(false);
        if (runtime->poll()) continue;
        const TimePoint now = clock_now();
        if (now >= deadline) break;
        if (now >= spin_end) {
            (void)runtime->poll_for(std::min(deadline - now, wait_max));
        } else {
            std::this_thread::yield();  // The thread that answers may need this processor.
        }
    }
    left_last.store(clock_now().time_since_epoch().count());
}

void LoopThread::State::run_thread() {
    while (!stopping.load()) {
        if (serve()) park();
    }
    std::unique_lock lock(seat);
    std::unique_ptr<platform::AsioRuntime> last;
    {
        const Seat its_seat(*this, std::move(lock));
        {
            const std::lock_guard guard(mutex);
            ended = true;
            last = std::move(runtime);
        }
        last.reset();
    }
    const std::lock_guard guard(mutex);
    ended_changed.notify_all();
}

// Runs the loop until a thread wants the seat and there is nothing else to do. Then returns true.
bool LoopThread::State::serve() {
    const Seat its_seat(*this, std::unique_lock(seat));
    parked.store(false);
    while (!stopping.load()) {
        if (wanted.exchange(false)) {
            // post() checks from here on whether a thread is in the seat. This poll() finds the
            // tasks that were posted before.
            parked.store(true);
            if (!runtime->poll()) return true;
            parked.store(false);
        } else {
            (void)runtime->poll_for(wait_max);
            look_out();
        }
    }
    return false;
}

// Spins for the next call if calls come one by one and soon after each other, so that no wake-up is
// needed. The time is bounded: other threads need this processor too.
void LoopThread::State::look_out() {
    for (;;) {
        const int served_now = std::exchange(served, 0);
        if (served_now == 0) return;
        const TimePoint begin = clock_now();
        const bool soon = begin - std::exchange(served_last, begin) < gap_max;
        if (served_now > 1 || !soon || !habit.wants()) return;
        TimePoint now = begin;
        while (!runtime->poll() && now - begin < spin_max) {
            if (wanted.load() || stopping.load()) return;
            std::this_thread::yield();  // The thread that makes the next call may need this
                                        // processor.
            now = clock_now();
        }
        habit.ended(now - begin < spin_max);
    }
}

void LoopThread::State::park() {
    std::unique_lock lock(park_mutex);
    for (;;) {
        unparked_changed.wait_for(lock, parked_max, [this] { return unparked; });
        if (std::exchange(unparked, false) || stopping.load()) return;
        const TimePoint left{Duration(left_last.load())};
        if (!seated.load() && clock_now() - left >= parked_max) return;
    }
}

void LoopThread::State::unpark() {
    const std::lock_guard lock(park_mutex);
    unparked = true;
    unparked_changed.notify_one();
}

}  // namespace understudy::library
