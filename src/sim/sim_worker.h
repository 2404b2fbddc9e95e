#pragma once

#include <cstdint>
#include <deque>

#include "runtime/worker.h"
#include "understudy/types.h"

namespace understudy::sim {

class SimRuntime;

/// A simulated thread for jobs that block.
///
/// A job waits a little, runs at one instant, and is reported as done when the time of its disk
/// calls is over. So a crash comes before the job, or after the job and before its completion. A
/// crash within a job is set with Process::crash_at_disk_call().
class SimWorker final : public Worker {
public:
    SimWorker(SimRuntime& runtime, std::uint64_t number) : runtime_(runtime), number_(number) {}

    void submit(Job job, Job done, Place place) override;

    /// The process was resumed.
    void go_on();
    void clear();

private:
    struct Item {
        Job job;
        Job done;
    };

    void begin();
    void run();
    void execute();
    void complete_later();
    void complete();

    SimRuntime& runtime_;
    const std::uint64_t number_;
    std::deque<Item> items_;  // The first one is being carried out if busy_.
    bool busy_ = false;
    Duration cost_ = Duration::zero();
};

}  // namespace understudy::sim
