#include "sim/sim_host.h"

#include <utility>

#include "sim/node.h"
#include "sim/process.h"
#include "sim/sim_runtime.h"
#include "sim/world.h"

namespace understudy::sim {
namespace {

// The time from the death to the report of a pidfd on the loop.
constexpr Duration report_min = 50us;
constexpr Duration report_max = 1ms;

}  // namespace

class SimHost::SimWatch final : public ProcessWatch {
public:
    SimWatch(SimHost& host, std::uint64_t id) : host_(host), id_(id) {}
    SimWatch(const SimWatch&) = delete;
    SimWatch& operator=(const SimWatch&) = delete;
    ~SimWatch() override {
        // Its captures are destroyed outside the map.
        const auto dropped = host_.watched_.extract(id_);
    }

private:
    SimHost& host_;
    const std::uint64_t id_;
};

class SimHost::SimDirectoryWatch final : public DirectoryWatch {
public:
    SimDirectoryWatch(SimHost& host, std::uint64_t id) : host_(host), id_(id) {}
    SimDirectoryWatch(const SimDirectoryWatch&) = delete;
    SimDirectoryWatch& operator=(const SimDirectoryWatch&) = delete;
    ~SimDirectoryWatch() override {
        const auto dropped = host_.directories_.extract(id_);
    }

private:
    SimHost& host_;
    const std::uint64_t id_;
};

ProcessId SimHost::self() const { return runtime_.process().id(); }

std::unique_ptr<ProcessWatch> SimHost::watch(const ProcessId& process, std::function<void()> gone) {
    US_ASSERT(gone);
    const ProcessId own = self();
    if (process.boot != own.boot || process.pid_namespace != own.pid_namespace) return nullptr;
    const std::uint64_t id = ++last_id_;
    if (runtime_.alive()) {
        watched_.emplace(id, Watched{process, std::move(gone)});
        if (!runtime_.node().runs(process)) report_later(id);
    }
    return std::make_unique<SimWatch>(*this, id);
}

std::unique_ptr<DirectoryWatch> SimHost::watch_directory(const std::string& directory,
                                                         std::vector<std::string> names,
                                                         std::function<void()> changed) {
    const auto [store, inside] = runtime_.node().store_of(directory);
    if (store != &runtime_.node().disk() || !runtime_.alive()) return nullptr;
    const std::uint64_t id = ++last_id_;
    auto told = store->watch(inside, std::move(names), [this, id] {
        World& world = runtime_.world();
        world.at(world.now() + runtime_.random().between(report_min, report_max),
                 [this, id] { report_directory(id); });
    });
    directories_.emplace(id, WatchedDirectory{std::move(changed), std::move(told)});
    return std::make_unique<SimDirectoryWatch>(*this, id);
}

void SimHost::report_directory(std::uint64_t id) {
    runtime_.deliver(SimRuntime::Cause::host, 0, [this, id] {
        const auto found = directories_.find(id);
        if (found == directories_.end()) return;  // The watch has ended.
        const std::function<void()> changed = found->second.changed;
        changed();
    });
}

std::uint64_t SimHost::wall_ms() const { return runtime_.node().wall_ms(); }

void SimHost::died(const ProcessId& process) {
    for (const auto& [id, watched] : watched_) {
        if (watched.process == process) report_later(id);
    }
}

void SimHost::report_later(std::uint64_t id) {
    World& world = runtime_.world();
    world.at(world.now() + runtime_.random().between(report_min, report_max),
             [this, id] { report(id); });
}

void SimHost::report(std::uint64_t id) {
    runtime_.deliver(SimRuntime::Cause::host, 0, [this, id] {
        const auto found = watched_.find(id);
        if (found == watched_.end() || !found->second.gone) return;  // The watch has ended.
        const std::function<void()> gone = std::exchange(found->second.gone, nullptr);
        gone();
    });
}

}  // namespace understudy::sim
