#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/high_water.h"
#include "base/log.h"
#include "runtime/runtime.h"

namespace understudy::platform {

/// How much memory is used of how much, where there is a limit.
struct MemoryUse {
    std::uint64_t used_bytes = 0;
    std::uint64_t limit_bytes = 0;
};

/// Of a control group, by its directory: what cannot be reclaimed of it. Nullopt: no limit, or the
/// files are not there.
[[nodiscard]] std::optional<MemoryUse> group_memory(const std::string& directory);

/// The directory of this process's control group (version 2); empty: there is none to be seen.
[[nodiscard]] std::string own_group();

/// Of this process's address space (RLIMIT_AS).
[[nodiscard]] std::optional<MemoryUse> address_space();

/// Looks now and again at the memory of this process, and says in the log when most of what it may
/// have is used.
///
/// For programs: a library leaves that to its host. Thread: loop only.
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
