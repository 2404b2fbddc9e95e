#include "platform/machine/memory.h"

#include <fstream>
#include <sstream>

#include <sys/resource.h>
#include <unistd.h>

namespace understudy::platform {

namespace {

std::optional<std::uint64_t> number_in(const std::string& path) {
    std::ifstream file(path);
    std::uint64_t number = 0;
    // Also for "max", which means that there is no limit.
    if (!(file >> number)) return std::nullopt;
    return number;
}

}  // namespace

std::optional<MemoryUse> group_memory(const std::string& directory) {
    const auto limit = number_in(directory + "/memory.max");
    std::ifstream stat(directory + "/memory.stat");
    if (!limit || !stat) return std::nullopt;
    MemoryUse use{.limit_bytes = *limit};
    std::string what;
    for (std::uint64_t bytes = 0; stat >> what >> bytes;) {
        // The kernel drops cached files by itself before memory runs out.
        if (what == "anon" || what == "shmem") use.used_bytes += bytes;
    }
    return use;
}

std::string own_group() {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (line.starts_with("0::/")) return "/sys/fs/cgroup" + line.substr(3);
    }
    return {};
}

std::optional<MemoryUse> address_space() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
    const auto pages = number_in("/proc/self/statm");
    if (!pages) return std::nullopt;
    return MemoryUse{.used_bytes = *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)),
                     .limit_bytes = limit.rlim_cur};
}

MemoryWatch::MemoryWatch(Runtime& runtime, Log& log) : runtime_(runtime), log_(log) { look(); }

void MemoryWatch::look() {
    judge(of_group_, group_.empty() ? std::nullopt : group_memory(group_),
          "MemoryMax= of its unit, or the limit of its container");
    judge(of_space_, address_space(), "ulimit -v");
    timer_ = runtime_.at(runtime_.now() + interval, [this] { look(); });
}

void MemoryWatch::judge(HighWater& water, const std::optional<MemoryUse>& use,
                        std::string_view remedy) {
    if (!use || !water.rises(use->used_bytes, use->limit_bytes)) return;
    log_.warn("process.memory", {kv("used_bytes", use->used_bytes),
                                 kv("limit_bytes", use->limit_bytes), kv("try", remedy)});
}

}  // namespace understudy::platform
