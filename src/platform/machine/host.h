#pragma once

#include <optional>

#include "platform/loop.h"
#include "runtime/host.h"

namespace understudy::platform {

/// This machine, as /proc and pidfds show it.
///
/// It claims only what is certain: a wrong proof of death would give one role to two members.
class LinuxHost final : public Host {
public:
    explicit LinuxHost(Loop& loop);

    [[nodiscard]] ProcessId self() const override { return self_; }
    [[nodiscard]] std::unique_ptr<ProcessWatch> watch(const ProcessId& process,
                                                      std::function<void()> gone) override;
    [[nodiscard]] std::unique_ptr<DirectoryWatch> watch_directory(
        const std::string& directory, std::vector<std::string> names,
        std::function<void()> changed) override;
    [[nodiscard]] std::uint64_t wall_ms() const override;

private:
    Loop& loop_;
    const ProcessId self_;
};

/// Names the process `pid` of our own pid namespace, in the same way as its own self(). Nullopt if
/// there is none, or if /proc does not show it.
[[nodiscard]] std::optional<ProcessId> identify_process(std::uint64_t pid);

}  // namespace understudy::platform
