#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "runtime/host.h"

namespace understudy::sim {

class SimRuntime;

/// A process's view of its node's process table.
class SimHost final : public Host {
public:
    explicit SimHost(SimRuntime& runtime) : runtime_(runtime) {}

    [[nodiscard]] ProcessId self() const override;
    [[nodiscard]] std::unique_ptr<ProcessWatch> watch(const ProcessId& process,
                                                      std::function<void()> gone) override;
    [[nodiscard]] std::uint64_t wall_ms() const override;

    /// `process` has died on this node: its watches report, a little later.
    void died(const ProcessId& process);

private:
    class SimWatch;
    struct Watched {
        ProcessId process;
        std::function<void()> gone;
    };

    void report_later(std::uint64_t id);
    void report(std::uint64_t id);

    SimRuntime& runtime_;
    std::map<std::uint64_t, Watched> watched_;
    std::uint64_t last_id_ = 0;
};

}  // namespace understudy::sim
