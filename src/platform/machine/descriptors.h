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
/// Connections may use up all other descriptors, and the journal must go on then. If a file cannot
/// be opened because no descriptor is left, a held one is closed to make room. When such a file is
/// closed, its descriptor is held again. Held descriptors count as used, so new connections find
/// none left while the journal still has some. No connection is accepted while one of them is
/// missing.
///
/// Thread: any.
/// Bounds: held_max, and at most a quarter of RLIMIT_NOFILE.
class DescriptorReserve {
public:
    static constexpr std::size_t held_max = 16;

    [[nodiscard]] static DescriptorReserve& of_this_process();

    /// Runs `open`, which returns a descriptor, or -1 and sets errno. Runs it again for each held
    /// descriptor that is released. Fails with the errno of the last try.
    template <class Open>
    [[nodiscard]] Fd open(const Open& open) {
        (void)fill();
        for (;;) {
            Fd opened(open());
            if (opened || !release_one()) return opened;
        }
    }

    /// Closes `fd`, or holds its descriptor if one is missing.
    void give_back(Fd fd);

    /// Replaces missing descriptors, if there are any free. Returns true if none is missing.
    bool fill();

    /// True if no descriptor is missing, also before the first file is opened.
    [[nodiscard]] bool whole() const { return missing_ == 0; }

private:
    [[nodiscard]] bool release_one();

    std::mutex mutex_;  // Guards the following members, except the atomic ones.
    std::atomic<bool> begun_ = false;
    Fd first_;  // The held descriptors are copies of this one.
    std::vector<Fd> held_;
    std::size_t wanted_ = 0;
    std::atomic<std::size_t> missing_ = 0;
};

/// Logs when most of the descriptors that this process may have are in use.
///
/// The kernel assigns the lowest free number, so the number of a new descriptor shows how many are
/// in use. Nothing has to be counted, and the descriptors of the host process are included.
///
/// Thread: loop only.
class DescriptorWatch {
public:
    explicit DescriptorWatch(Log& log) : log_(log) {}

    /// A descriptor that was just assigned.
    void saw(int fd);

    /// True if most descriptors were in use at the last saw().
    [[nodiscard]] bool high() const { return water_.high(); }

private:
    Log& log_;
    HighWater water_;
};

}  // namespace understudy::platform
