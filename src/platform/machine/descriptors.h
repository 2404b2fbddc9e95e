#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <vector>

#include "base/high_water.h"
#include "base/log.h"
#include "platform/network/fd.h"

namespace understudy::platform {

/// Descriptors of this process that are held open and unused, for files.
///
/// Connections may use up all descriptors that there are; the journal must go on then. When a file
/// cannot be opened for want of a descriptor, one of these makes way for it; when such a file is
/// closed, its descriptor is held again. Held ones count, so new connections find none left while
/// the journal still has some; and nobody accepts a connection while one of them is missing.
///
/// Thread: any.
/// Bounds: held_max, and no more than a quarter of RLIMIT_NOFILE.
class DescriptorReserve {
public:
    static constexpr std::size_t held_max = 16;

    [[nodiscard]] static DescriptorReserve& of_this_process();

    /// Runs `open`, which returns a descriptor, or -1 with errno; again for each held descriptor
    /// that makes way. Fails with the errno of the last try.
    template <class Open>
    [[nodiscard]] Fd open(const Open& open) {
        (void)fill();
        for (;;) {
            Fd opened(open());
            if (opened || !give_way()) return opened;
        }
    }

    /// Closes `fd`, or holds its descriptor if one is missing.
    void give_back(Fd fd);

    /// Makes up for what is missing, if there are descriptors. Returns whether none is missing.
    bool fill();

    /// Nobody has opened a file yet, or none is missing.
    [[nodiscard]] bool whole() const { return missing_ == 0; }

private:
    [[nodiscard]] bool give_way();

    std::mutex mutex_;  // Guards what follows, but for the atomic ones.
    std::atomic<bool> begun_ = false;
    Fd first_;               // What the held ones are copies of.
    std::vector<Fd> held_;
    std::size_t wanted_ = 0;
    std::atomic<std::size_t> missing_ = 0;
};

/// Says in the log when most of the descriptors that this process may have are in use.
///
/// The kernel gives out the lowest that is free: a new descriptor is as high as many are in use. So
/// nothing is counted, and whatever the host process opens is in it.
///
/// Thread: loop only.
class DescriptorWatch {
public:
    explicit DescriptorWatch(Log& log) : log_(log) {}

    /// A descriptor that was given out just now.
    void saw(int fd);

    /// Most are in use, by what was seen last.
    [[nodiscard]] bool high() const { return water_.high(); }

private:
    Log& log_;
    HighWater water_;
};

}  // namespace understudy::platform
