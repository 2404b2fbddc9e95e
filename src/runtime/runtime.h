#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/random.h"
#include "runtime/disk.h"
#include "runtime/host.h"
#include "runtime/network.h"
#include "runtime/worker.h"
#include "understudy/types.h"

namespace understudy {

/// A pending call. Destroying it cancels it: after that the task will not run.
class Timer {
public:
    virtual ~Timer() = default;
};

/// The world outside one event loop. Two implementations: platform::AsioRuntime, sim::SimRuntime.
///
/// Thread: everything on the loop thread, except post().
class Runtime {
public:
    using Task = std::function<void()>;

    virtual ~Runtime() = default;

    [[nodiscard]] virtual TimePoint now() const = 0;  ///< Constant while one task runs.
    virtual void post(Task task) = 0;                 ///< Runs later, in order. Any thread.
    [[nodiscard]] virtual std::unique_ptr<Timer> at(TimePoint when, Task task) = 0;
    [[nodiscard]] virtual Worker& worker(std::string_view name) = 0;  ///< Where one may block.
    [[nodiscard]] virtual Network& network() = 0;
    [[nodiscard]] virtual Disk& disk() = 0;  ///< Blocking: only inside a Worker's job.
    [[nodiscard]] virtual Host& host() = 0;
    [[nodiscard]] virtual Random& random() = 0;
};

}  // namespace understudy
