#include "platform/worker.h"

#include <utility>

#include "platform/thread.h"

namespace understudy::platform {

ThreadWorker::ThreadWorker(Loop& loop, std::string name)
    : loop_(loop),
      name_(std::move(name)),
      run_lone_(loop.turn_ends(), TurnPhase::blocking, [this] { run_lone(); }) {}

ThreadWorker::~ThreadWorker() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void ThreadWorker::submit(Job job, Job done, Place place) {
    Item item{std::move(job), std::move(done)};
    const bool idle = unfinished_++ == 0;
    if (idle && place == Place::inline_if_idle) {
        lone_ = std::move(item);
        run_lone_.mark();
        return;
    }
    if (lone_) {  // It is no longer alone, so it goes to the thread first.
        enqueue(std::move(*lone_));
        lone_.reset();
        run_lone_.unmark();
    }
    enqueue(std::move(item));
}

void ThreadWorker::enqueue(Item item) {
    {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(item));
    }
    if (thread_.joinable()) {
        wake_.notify_one();
    } else {
        thread_ = start_thread(name_, [this] { run_thread(); });
    }
}

void ThreadWorker::run_lone() {
    const Item item = std::move(*lone_);
    lone_.reset();
    item.job();
    loop_.next_frame();
    completed(item.done);
}

void ThreadWorker::run_thread() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (stopping_) return;
        Item item = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        item.job();
        item.job = nullptr;
        loop_.post([this, done = std::move(item.done)] { completed(done); });
        lock.lock();
    }
}

void ThreadWorker::completed(const Job& done) {
    US_ASSERT(unfinished_ > 0);
    --unfinished_;
    done();
}

}  // namespace understudy::platform
