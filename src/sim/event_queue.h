#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "understudy/types.h"

namespace understudy::sim {

/// What will happen in a world: calls ordered by time, then by the order they were asked for.
///
/// An indexed binary heap, so that a cancelled call leaves at once: timers that are re-armed on
/// every heartbeat would otherwise fill it. Slots are reused; nothing is allocated in the steady
/// state as long as a task fits the small buffer of std::function.
///
/// Thread: the world's.
class EventQueue {
public:
    using Task = std::function<void()>;

    /// Names one call. Stays harmless after the call has happened.
    struct Id {
        std::uint32_t slot = 0;
        std::uint32_t generation = 0;  ///< 0: names nothing.
    };

    Id schedule(TimePoint when, Task task);
    /// Takes the call out; no effect if it has happened or was cancelled.
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
