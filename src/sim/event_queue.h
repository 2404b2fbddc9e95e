#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "understudy/types.h"

namespace understudy::sim {

/// The future events of a world: calls ordered by time, then by the order in which they were
/// scheduled.
///
/// It is an indexed binary heap, so that a cancelled call is removed at once. Otherwise timers that
/// are armed again with every heartbeat would fill it. Slots are used again: nothing is allocated
/// in the steady state if tasks fit the small buffer of std::function.
///
/// Thread: that of its world.
class EventQueue {
public:
    using Task = std::function<void()>;

    /// Names one call. It may be cancelled after the call has happened: that has no effect.
    struct Id {
        std::uint32_t slot = 0;
        std::uint32_t generation = 0;  ///< 0: no call.
    };

    Id schedule(TimePoint when, Task task);
    /// Removes the call. No effect if it has happened or was cancelled.
    void cancel(Id id);
    /// Removes the earliest call and returns it. Requires: not empty.
    [[nodiscard]] Task take();

    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }
    [[nodiscard]] TimePoint next_at() const;  ///< Requires: not empty.

private:
    struct Entry {
        TimePoint when;
        std::uint64_t sequence;
        std::uint32_t slot;
    };
    struct Slot {
        Task task;
        std::uint32_t generation = 1;
        std::uint32_t position = 0;  // In heap_, while in use.
    };

    static bool before(const Entry& a, const Entry& b) {
        return a.when != b.when ? a.when < b.when : a.sequence < b.sequence;
    }
    void place(std::size_t position, const Entry& entry);
    void sift_up(std::size_t position, const Entry& entry);
    void sift_down(std::size_t position, const Entry& entry);
    void remove_at(std::size_t position);
    void release(std::uint32_t slot);

    std::vector<Entry> heap_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::uint64_t sequence_ = 0;
};

}  // namespace understudy::sim
