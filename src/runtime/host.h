#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "understudy/types.h"

namespace understudy {

/// Names one process for as long as any machine remembers it.
///
/// A pid alone is reused; together with its start time, inside one pid namespace of one boot of
/// one kernel, it is not.
struct ProcessId {
    std::string boot;             ///< /proc/sys/kernel/random/boot_id; empty: not known.
    std::uint64_t pid_namespace = 0;  ///< Inode of /proc/self/ns/pid.
    std::uint64_t pid = 0;
    std::uint64_t start_ticks = 0;  ///< Field 22 of /proc/PID/stat.
    friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

/// Watches for the death of one process. Destroying it ends the watch.
class ProcessWatch {
public:
    virtual ~ProcessWatch() = default;
};

/// Watches for the end of a directory, or of files in it. Destroying it ends the watch.
class DirectoryWatch {
public:
    virtual ~DirectoryWatch() = default;
};

/// The machine this process runs on, as far as evidence of death needs it, and its directories.
///
/// Thread: loop only.
class Host {
public:
    virtual ~Host() = default;

    [[nodiscard]] virtual ProcessId self() const = 0;

    /// Calls `gone` once, on the loop, when `process` is proven dead; also when it already is.
    /// Returns null if nothing can be proven from here: another host, boot or pid namespace.
    [[nodiscard]] virtual std::unique_ptr<ProcessWatch> watch(const ProcessId& process,
                                                              std::function<void()> gone) = 0;

    /// Calls `changed` on the loop, as often as that happens, when `directory` may have been moved
    /// or removed, or a name in `names` in it made, moved or removed: hints, look what they are
    /// about. Returns null if the kernel does not tell. What other machines do is never told.
    [[nodiscard]] virtual std::unique_ptr<DirectoryWatch> watch_directory(
        const std::string& directory, std::vector<std::string> names,
        std::function<void()> changed) = 0;

    /// Wall-clock time, for display in logs and audits only. Nothing may be decided by it.
    [[nodiscard]] virtual std::uint64_t wall_ms() const = 0;
};

}  // namespace understudy
