#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/fakes/fake_disk_test.h"
#include "runtime/runtime.h"

namespace understudy::journal {

/// One process: a loop and its workers, in one thread, in an order that follows from a seed.
///
/// It stops for ever when its disk dies: no completion is delivered after the crash point.
class FakeRuntime final : public Runtime {
public:
    FakeRuntime(FakeDisk& disk, std::uint64_t seed);
    /// On any disk; `dead` says whether the process is dead.
    FakeRuntime(Disk& disk, std::function<bool()> dead, std::uint64_t seed);
    ~FakeRuntime() override;

    TimePoint now() const override { return now_; }
    void post(Task task) override { tasks_.push_back(std::move(task)); }
    std::unique_ptr<Timer> at(TimePoint when, Task task) override;
    TurnEnds& turn_ends() override { return turn_ends_; }
    Worker& worker(std::string_view name) override;
    Network& network() override;
    Disk& disk() override { return disk_; }
    Host& host() override { return host_; }
    Random& random() override { return random_; }

    /// Runs one task or one job. Returns false if there is none, or the disk is dead.
    bool step();
    /// Runs everything that can run without time passing.
    void settle();
    /// The same until `reached`. Returns false if nothing is left to run before.
    bool run_until(const std::function<bool()>& reached);
    /// Lets time pass, and runs the timers and everything that they cause.
    void advance(Duration duration);
    /// Directories are watched from now on.
    void watch_directories() { host_.tells = true; }
    /// Tells each watch that its directory may have changed.
    void tell_watches() {
        for (const auto& one : host_.watches) {
            if (const auto changed = one.lock()) post(*changed);
        }
    }
    /// While it is set, no job runs, as if a flush took long.
    void hold_jobs(bool hold) { hold_jobs_ = hold; }

private:
    class FakeWorker;
    class FakeTimer;
    /// Knows no process, not even its own.
    class FakeHost final : public Host {
    public:
        ProcessId self() const override { return {}; }
        std::unique_ptr<ProcessWatch> watch(const ProcessId&, std::function<void()>) override {
            return nullptr;
        }
        std::unique_ptr<DirectoryWatch> watch_directory(const std::string&,
                                                        std::vector<std::string>,
                                                        std::function<void()> changed) override {
            class Told final : public DirectoryWatch {
            public:
                explicit Told(std::shared_ptr<std::function<void()>> told)
                    : told_(std::move(told)) {}
                const std::shared_ptr<std::function<void()>> told_;
            };
            if (!tells) return nullptr;
            auto watch = std::make_shared<std::function<void()>>(std::move(changed));
            watches.push_back(watch);
            return std::make_unique<Told>(std::move(watch));
        }
        std::uint64_t wall_ms() const override { return 0; }

        bool tells = false;
        std::vector<std::weak_ptr<std::function<void()>>> watches;
    };

    void end_turn();

    Disk& disk_;
    FakeHost host_;
    const std::function<bool()> dead_;
    Random random_;
    TimePoint now_{};
    std::deque<Task> tasks_;
    TurnEnds turn_ends_{[this] { post([this] { end_turn(); }); }};
    std::map<std::string, std::unique_ptr<FakeWorker>, std::less<>> workers_;
    std::map<std::pair<TimePoint, std::uint64_t>, Task> timers_;
    std::uint64_t timer_count_ = 0;
    bool hold_jobs_ = false;
};

}  // namespace understudy::journal
