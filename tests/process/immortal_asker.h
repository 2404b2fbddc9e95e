#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "tests/process/process.h"
#include "understudy/immortal_client.h"

namespace understudy::process {

/// Calls one service, one call at a time, and checks how long it waits for each answer and whether
/// the answer's number is the next one.
class Asker {
public:
    using Ask = std::function<Result<std::int64_t>(ImmortalClient&)>;

    Asker(const std::string& service, const std::string& registry, Ask ask)
        : client_(ImmortalClient::open({.service = service,
                                        .registry = {registry},
                                        .call_timeout = 2 * patience,
                                        .log = [](std::string_view) {}})
                      .value_or_throw()),
          ask_(std::move(ask)),
          thread_([this] { run(); }) {}
    ~Asker() { end(); }
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;

    void end() {
        ending_ = true;
        if (thread_.joinable()) thread_.join();
    }
    /// True if a call that began after `since` has been answered.
    [[nodiscard]] bool answered_since(Clock::time_point since) const {
        const std::lock_guard lock(mutex_);
        return newest_ > since;
    }
    /// The longest wait that ended since the last call of this function.
    [[nodiscard]] Clock::duration take_longest() {
        const std::lock_guard lock(mutex_);
        return std::exchange(longest_, {});
    }
    [[nodiscard]] std::int64_t answers() const { return answers_; }
    /// The first fault; empty if there is none.
    [[nodiscard]] std::string fault() const {
        const std::lock_guard lock(mutex_);
        return fault_;
    }

private:
    void run() {
        while (!ending_) {
            const auto begun = Clock::now();
            const auto number = ask_(client_);
            const auto now = Clock::now();
            std::unique_lock lock(mutex_);
            if (!number || *number != answers_ + 1) {
                fault_ = number ? "answer " + std::to_string(*number) + " is not the next one"
                                : to_string(number.error());
                return;
            }
            ++answers_;
            newest_ = begun;
            longest_ = std::max(longest_, now - begun);
            pause_.wait_for(lock, 1ms, [this] { return ending_.load(); });
        }
    }

    ImmortalClient client_;
    const Ask ask_;
    std::atomic<bool> ending_{false};
    std::atomic<std::int64_t> answers_{0};
    mutable std::mutex mutex_;
    std::condition_variable pause_;
    Clock::time_point newest_;
    Clock::duration longest_{};
    std::string fault_;
    std::thread thread_;
};

}  // namespace understudy::process
