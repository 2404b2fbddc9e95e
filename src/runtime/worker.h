#pragma once

#include <functional>

namespace understudy {

/// A named thread for calls that block. Jobs run one at a time, in the order of submission.
///
/// The pair (job, done) is the asynchronous disk: a job is submitted, and its completion comes on
/// the loop. A job uses nothing but what it was given. In the simulator a job runs at one instant,
/// its completion comes later, and a crash inside it leaves the disk as it was at that call.
class Worker {
public:
    using Job = std::function<void()>;

    /// Whether the job may run on the loop thread if this worker has nothing else to do: at the end
    /// of the turn, in TurnPhase::blocking. To wake another thread takes half as long as a flush.
    enum class Place { worker_thread, inline_if_idle };

    virtual ~Worker() = default;

    /// Runs `job` where it may block, then `done` on the loop; never `done` within this call.
    /// Thread: loop only.
    virtual void submit(Job job, Job done, Place place = Place::worker_thread) = 0;
};

}  // namespace understudy
