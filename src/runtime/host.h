#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "understudy/types.h"

namespace understudy {

/// Names one process. No other process ever has the same name.
///
/// A pid alone is used again. Together with its start time, inside one pid namespace of one boot of
/// one kernel, it is unique.
struct ProcessId {
    std::string boot;                 ///< /proc/sys/kernel/random/boot_id. Empty: unknown.
    std::uint64_t pid_namespace = 0;  ///< Inode of /proc/self/ns/pid.
    std::uint64_t pid = 0;
    std::uint64_t start_ticks = 0;  ///< Field 22 of /proc/PID/stat.
    friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

/// Watches for the end of one process. The destructor ends the watch.
class ProcessWatch {
public:
    virtual ~ProcessWatch() = default;
};

/// Watches for the end of a directory, or of files in it. The destructor ends the watch.
class DirectoryWatch {
public:
    virtual ~DirectoryWatch() = default;
};

/// The machine on which this process runs: which processes have ended there, and which directories.
///
/// Thread: loop only.
class Host {
public:
    virtual ~Host() = default;

    [[nodiscard]] virtual ProcessId self() const = 0;

    /// Calls `gone` once, on the loop, when it is proven that `process` has ended, also if it had
    /// ended before. Returns null if that cannot be proven here: it has another host, boot or pid
    /// namespace.
    [[nodiscard]] virtual std::unique_ptr<ProcessWatch> watch(const ProcessId& process,
                                                              std::function<void()> gone) = 0;

    /// Calls `changed` on the loop each time that `directory` may have been moved or removed, or a
    /// file in it that has one of `names` may have been created, moved or removed. A call is a
    /// hint: the receiver looks at the directory. Changes by other machines are not noticed.
    /// Returns null if the kernel cannot watch the directory.
    [[nodiscard]] virtual std::unique_ptr<DirectoryWatch> watch_directory(
        const std::string& directory, std::vector<std::string> names,
        std::function<void()> changed) = 0;

    /// Wall-clock time, only to be shown in logs and audits. No decision may depend on it.
    [[nodiscard]] virtual std::uint64_t wall_ms() const = 0;
};

}  // namespace understudy
