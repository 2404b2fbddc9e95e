#include "platform/limits.h"

#include <cerrno>

#include <sys/resource.h>

#include "platform/fd.h"

namespace understudy::platform {

std::uint64_t descriptor_limit() {
    rlimit limit{};
    // It cannot fail for an own, well-known limit.
    US_ASSERT(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    return limit.rlim_cur;
}

Result<std::uint64_t> raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return system_error(Errc::not_permitted, "read the limit of descriptors", errno);
    }
    if (limit.rlim_cur != limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            return system_error(Errc::not_permitted, "raise the limit of descriptors", errno);
        }
    }
    return std::uint64_t{limit.rlim_cur};
}

}  // namespace understudy::platform
