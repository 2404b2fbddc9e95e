#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/high_water.h"
#include "base/log.h"
#include "runtime/runtime.h"

namespace understudy::platform {

/// Used memory and its limit, if there is a limit.
struct MemoryUse {
    std::uint64_t used_bytes = 0;
    std::uint64_t limit_bytes = 0;
};

/// The memory of a control group, given by its directory, that cannot be reclaimed. Nullopt: there
/// is no limit, or the files are missing.
[[nodiscard]] std::optional<MemoryUse> group_memory(const std::string& directory);

/// The directory of this process's control group (version 2); empty if none is visible.
[[nodiscard]] std::string own_group();

/// The same for this process's address space (RLIMIT_AS).
[[nodiscard]] std::optional<MemoryUse> address_space();

/// Checks the memory of this process at intervals, and logs when most of what it may have is used.
///
/// For programs: a library leaves this to its host process. Thread: loop only.
class MemoryWatch {
public:
    static constexpr Duration interval = 10s;

    MemoryWatch(Runtime& runtime, Log& log);

private:
    void look();
    void judge(HighWater& water, const std::optional<MemoryUse>& use, std::string_view remedy);

    Runtime& runtime_;
    Log& log_;
    const std::string group_ = own_group();
    HighWater of_group_;
    HighWater of_space_;
    std::unique_ptr<Timer> timer_;
};

}  // namespace understudy::platform
