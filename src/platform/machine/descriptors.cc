#include "platform/machine/descriptors.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "platform/machine/limits.h"

namespace understudy::platform {

DescriptorReserve& DescriptorReserve::of_this_process() {
    // It is never destroyed, because threads may close files late.
    static auto& reserve = *new DescriptorReserve;
    return reserve;
}

bool DescriptorReserve::fill() {
    if (begun_.load(std::memory_order_acquire) && whole()) return true;
    const std::lock_guard lock(mutex_);
    if (!begun_) {
        wanted_ = std::min<std::size_t>(held_max, descriptor_limit() / 4);
        missing_ = wanted_;
        begun_ = true;
    }
    if (!first_) first_ = Fd(::eventfd(0, EFD_CLOEXEC));
    while (first_ && held_.size() < wanted_) {
        Fd copy(::fcntl(first_.get(), F_DUPFD_CLOEXEC, 0));
        if (!copy) break;
        held_.push_back(std::move(copy));
    }
    missing_ = wanted_ - held_.size();
    return whole();
}

/// Only for a shortage of this process; it cannot end a shortage of the system.
bool DescriptorReserve::release_one() {
    if (errno != EMFILE) return false;
    const std::lock_guard lock(mutex_);
    if (held_.empty()) {
        errno = EMFILE;
        return false;
    }
    // The counter changes first, so that accepting stops before a descriptor becomes free.
    ++missing_;
    held_.pop_back();
    return true;
}

void DescriptorReserve::give_back(Fd fd) {
    if (!fd || whole()) return;
    const std::lock_guard lock(mutex_);
    if (!first_ || held_.size() >= wanted_) return;
    // One step closes the file and holds its descriptor, so that no other code can get it in
    // between.
    if (::dup3(first_.get(), fd.get(), O_CLOEXEC) < 0) return;
    held_.push_back(std::move(fd));
    missing_ = wanted_ - held_.size();
}

void DescriptorWatch::saw(int fd) {
    const std::uint64_t limit = descriptor_limit();
    const std::uint64_t used = static_cast<std::uint64_t>(fd) + 1;
    if (!water_.rises(used, limit)) return;
    log_.warn("process.descriptors",
              {kv("used", used), kv("limit", limit),
               kv("try", "LimitNOFILE= of its unit, or ulimit -n")});
}

}  // namespace understudy::platform
