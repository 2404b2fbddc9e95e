#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/random.h"
#include "runtime/disk.h"
#include "runtime/host.h"
#include "runtime/network.h"
#include "runtime/turn_end.h"
#include "runtime/worker.h"
#include "understudy/types.h"

namespace understudy {

/// A pending call. The destructor cancels it: after that the task does not run.
class Timer {
public:
    virtual ~Timer() = default;
};

/// The world outside one event loop. Two implementations: platform::AsioRuntime, sim::SimRuntime.
///
/// The loop goes in turns. A turn is what is ready when the loop looks: input, timers, posted
/// tasks. At its end comes what was marked during it, in the order of TurnPhase: see TurnEnd.
///
/// Thread: everything on the loop thread, except post().
class Runtime {
public:
    using Task = std::function<void()>;

    virtual ~Runtime() = default;

    [[nodiscard]] virtual TimePoint now() const = 0;  ///< Constant while one task runs.
    virtual void post(Task task) = 0;  ///< It runs later. Tasks keep their order. Any thread.
    [[nodiscard]] virtual std::unique_ptr<Timer> at(TimePoint when, Task task) = 0;
    /// What is marked for the end of this turn. Tasks that are posted within it run after it.
    [[nodiscard]] virtual TurnEnds& turn_ends() = 0;
    [[nodiscard]] virtual Worker& worker(std::string_view name) = 0;  ///< Its jobs may block.
    [[nodiscard]] virtual Network& network() = 0;
    [[nodiscard]] virtual Disk& disk() = 0;  ///< It blocks: only for a Worker's job.
    [[nodiscard]] virtual Host& host() = 0;
    [[nodiscard]] virtual Random& random() = 0;
};

}  // namespace understudy
