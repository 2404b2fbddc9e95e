#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "runtime/host.h"

namespace understudy::sim {

class SimRuntime;

/// A process's view of the process table of its machine.
class SimHost final : public Host {
public:
    explicit SimHost(SimRuntime& runtime) : runtime_(runtime) {}

    [[nodiscard]] ProcessId self() const override;
    [[nodiscard]] std::unique_ptr<ProcessWatch> watch(const ProcessId& process,
                                                      std::function<void()> gone) override;
    /// Only the machine's own disk is watched; a shared directory reports nothing, like a network
    /// file system.
    [[nodiscard]] std::unique_ptr<DirectoryWatch> watch_directory(
        const std::string& directory, std::vector<std::string> names,
        std::function<void()> changed) override;
    [[nodiscard]] std::uint64_t wall_ms() const override;

    /// `process` has died on this machine; its watches report that a little later.
    void died(const ProcessId& process);

private:
    class SimWatch;
    class SimDirectoryWatch;
    struct Watched {
        ProcessId process;
        std::function<void()> gone;
    };

    struct WatchedDirectory {
        std::function<void()> changed;
        std::shared_ptr<void> told;  ///< The store calls through it while it exists.
    };

    void report_later(std::uint64_t id);
    void report_directory(std::uint64_t id);
    void report(std::uint64_t id);

    SimRuntime& runtime_;
    std::map<std::uint64_t, Watched> watched_;
    std::map<std::uint64_t, WatchedDirectory> directories_;
    std::uint64_t last_id_ = 0;
};

}  // namespace understudy::sim
