#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "platform/loop.h"
#include "runtime/worker.h"

namespace understudy::platform {

/// A named thread. The first job that needs it starts it.
///
/// A job that may run inline waits for the end of the turn: the network's output is sent first. If
/// more jobs come until then, all of them go to the thread.
class ThreadWorker final : public Worker {
public:
    ThreadWorker(Loop& loop, std::string name);
    /// Waits for the running job; later jobs are dropped.
    ~ThreadWorker() override;
    ThreadWorker(const ThreadWorker&) = delete;
    ThreadWorker& operator=(const ThreadWorker&) = delete;

    void submit(Job job, Job done, Place place) override;

private:
    struct Item {
        Job job;
        Job done;
    };

    void enqueue(Item item);
    void run_lone();
    void run_thread();
    void completed(const Job& done);

    Loop& loop_;
    const std::string name_;
    std::size_t unfinished_ = 0;  // Submitted, and `done` has not begun.
    std::optional<Item> lone_;    // Waits for the end of the turn, to run on the loop.
    TurnEnd run_lone_;
    std::thread thread_;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Item> queue_;  // Guarded by mutex_, like the following flag.
    bool stopping_ = false;
};

}  // namespace understudy::platform
