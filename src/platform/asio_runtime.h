#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/log.h"
#include "runtime/runtime.h"

namespace understudy::platform {

class Loop;

/// Figures of a loop.
struct LoopFigures {
    std::uint64_t handlers = 0;
    Duration handler_time_max{};  ///< The longest time for which everything else had to wait.
    /// How often no descriptor was left for a new connection.
    std::uint64_t accept_pauses = 0;
    /// Incoming connections that were closed to make room because they had sent nothing.
    std::uint64_t silent_closed = 0;
    /// Incoming connections that did not prove their identity.
    std::uint64_t handshakes_failed = 0;
};

/// The real runtime: one event loop over epoll, files, and threads for calls that block.
///
/// Everything that it returns (timers, connections, listeners, watches) must be destroyed before
/// it, on the loop thread or when no loop runs. It installs no signal handler and raises no
/// SIGPIPE; its threads receive no signals; its descriptors are closed on exec.
///
/// Thread: one thread runs the loop and all that is on it; post() and stop() from any.
class AsioRuntime final : public Runtime {
public:
    /// Throws std::system_error if the process has no descriptor left for a loop.
    explicit AsioRuntime(Log& log);
    /// Waits for the job that a worker is running; later jobs are dropped without `done`.
    ~AsioRuntime() override;
    AsioRuntime(const AsioRuntime&) = delete;
    AsioRuntime& operator=(const AsioRuntime&) = delete;

    /// Runs until stop(). A stopped loop does not start again.
    void run();
    /// For callers with their own loop: runs a bounded part of what is ready, without waiting.
    /// Returns false if nothing was ready.
    bool poll();
    /// The same, but waits up to `wait_max` until something is ready.
    bool poll_for(Duration wait_max);
    /// Makes run() return after the present task, also if run() has not begun yet.
    void stop();

    [[nodiscard]] TimePoint now() const override;
    void post(Task task) override;
    [[nodiscard]] std::unique_ptr<Timer> at(TimePoint when, Task task) override;
    [[nodiscard]] TurnEnds& turn_ends() override;
    [[nodiscard]] Worker& worker(std::string_view name) override;
    [[nodiscard]] Network& network() override;
    [[nodiscard]] Disk& disk() override;
    [[nodiscard]] Host& host() override;
    [[nodiscard]] Random& random() override;

    /// Thread: loop only.
    [[nodiscard]] const LoopFigures& figures() const;

    /// For the other files of this folder.
    [[nodiscard]] Loop& loop();

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace understudy::platform
