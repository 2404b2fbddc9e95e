#include "platform/machine/limits.h"

#include <cerrno>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "platform/network/fd.h"

namespace understudy::platform {

std::uint64_t descriptor_limit() {
    rlimit limit{};
    // This call cannot fail for a known limit of the own process.
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

Result<void> check_descriptors() {
    std::vector<Fd> taken;
    while (taken.size() < descriptors_min) {
        taken.emplace_back(taken.empty() ? ::eventfd(0, EFD_CLOEXEC)
                                         : ::fcntl(taken.front().get(), F_DUPFD_CLOEXEC, 0));
        if (taken.back()) continue;
        const int error = errno;
        return system_error(Errc::no_descriptors,
                            "this process may have " + std::to_string(descriptor_limit()) +
                                " descriptors; it needs " + std::to_string(descriptors_min) +
                                " besides those that it was started with",
                            error);
    }
    return {};
}

}  // namespace understudy::platform
