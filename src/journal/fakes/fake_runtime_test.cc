#include "journal/fakes/fake_runtime_test.h"

#include <vector>

namespace understudy::journal {

class FakeRuntime::FakeWorker final : public Worker {
public:
    explicit FakeWorker(FakeRuntime& runtime) : runtime_(runtime) {}

    void submit(Job job, Job done, Place place) override {
        items_.push_back({std::move(job), std::move(done)});
        const bool lone = items_.size() == 1 && place == Place::inline_if_idle;
        if (lone && !runtime_.hold_jobs_ && runtime_.random_.chance(1, 2)) run();
    }

    [[nodiscard]] bool has_work() const { return !items_.empty(); }

    void run() {
        auto [job, done] = std::move(items_.front());
        items_.pop_front();
        job();
        job = nullptr;
        runtime_.post(std::move(done));
    }

private:
    FakeRuntime& runtime_;
    std::deque<std::pair<Job, Job>> items_;
};

class FakeRuntime::FakeTimer final : public Timer {
public:
    FakeTimer(FakeRuntime& runtime, std::pair<TimePoint, std::uint64_t> key)
        : runtime_(runtime), key_(key) {}
    FakeTimer(const FakeTimer&) = delete;
    FakeTimer& operator=(const FakeTimer&) = delete;
    ~FakeTimer() override { runtime_.timers_.erase(key_); }

private:
    FakeRuntime& runtime_;
    const std::pair<TimePoint, std::uint64_t> key_;
};

FakeRuntime::FakeRuntime(FakeDisk& disk, std::uint64_t seed)
    : FakeRuntime(disk, [&disk] { return disk.dead(); }, seed) {}

FakeRuntime::FakeRuntime(Disk& disk, std::function<bool()> dead, std::uint64_t seed)
    : disk_(disk), dead_(std::move(dead)), random_(seed) {}

FakeRuntime::~FakeRuntime() {
    // Objects that a dropped task holds may cancel timers, so the timers are destroyed last.
    tasks_.clear();
    workers_.clear();
}

std::unique_ptr<Timer> FakeRuntime::at(TimePoint when, Task task) {
    const auto key = std::make_pair(when, ++timer_count_);
    timers_.emplace(key, std::move(task));
    return std::make_unique<FakeTimer>(*this, key);
}

Worker& FakeRuntime::worker(std::string_view name) {
    auto found = workers_.find(name);
    if (found == workers_.end()) {
        found = workers_.emplace(std::string(name), std::make_unique<FakeWorker>(*this)).first;
    }
    return *found->second;
}

void FakeRuntime::end_turn() {
    turn_ends_.run([this](const Task& task) {
        if (!dead_()) task();
    });
}

Network& FakeRuntime::network() { assert_failed("no network here", __FILE__, __LINE__); }

bool FakeRuntime::step() {
    if (dead_()) return false;
    std::vector<FakeWorker*> ready;
    if (!tasks_.empty()) ready.push_back(nullptr);  // The loop.
    for (const auto& [name, worker] : workers_) {
        if (worker->has_work() && !hold_jobs_) ready.push_back(worker.get());
    }
    if (ready.empty()) return false;
    FakeWorker* const chosen = ready[random_.below(ready.size())];
    if (chosen != nullptr) {
        chosen->run();
    } else {
        const Task task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
    }
    return !dead_();
}

void FakeRuntime::settle() {
    while (step()) {
    }
}

bool FakeRuntime::run_until(const std::function<bool()>& reached) {
    while (!reached()) {
        if (!step()) return reached();
    }
    return true;
}

void FakeRuntime::advance(Duration duration) {
    const TimePoint until = now_ + duration;
    settle();
    while (!timers_.empty() && timers_.begin()->first.first <= until && !dead_()) {
        now_ = timers_.begin()->first.first;
        const Task task = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        task();
        settle();
    }
    now_ = until;
}

}  // namespace understudy::journal
