#include "sim/event_queue.h"

#include <utility>

namespace understudy::sim {

EventQueue::Id EventQueue::schedule(TimePoint when, Task task) {
    US_ASSERT(task);
    if (free_.empty()) {
        free_.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    slots_[slot].task = std::move(task);

    heap_.emplace_back();
    sift_up(heap_.size() - 1, {when, ++sequence_, slot});
    return {slot, slots_[slot].generation};
}

void EventQueue::cancel(Id id) {
    if (id.slot >= slots_.size() || slots_[id.slot].generation != id.generation) return;
    remove_at(slots_[id.slot].position);
    // The captures of the task may cancel other calls when they are destroyed, so that comes last.
    const Task dropped = std::move(slots_[id.slot].task);
    release(id.slot);
}

EventQueue::Task EventQueue::take() {
    US_ASSERT(!heap_.empty());
    const std::uint32_t slot = heap_.front().slot;
    remove_at(0);
    Task task = std::move(slots_[slot].task);
    release(slot);
    return task;
}

TimePoint EventQueue::next_at() const {
    US_ASSERT(!heap_.empty());
    return heap_.front().when;
}

void EventQueue::place(std::size_t position, const Entry& entry) {
    heap_[position] = entry;
    slots_[entry.slot].position = static_cast<std::uint32_t>(position);
}

void EventQueue::sift_up(std::size_t position, const Entry& entry) {
    while (position > 0) {
        const std::size_t parent = (position - 1) / 2;
        if (!before(entry, heap_[parent])) break;
        place(position, heap_[parent]);
        position = parent;
    }
    place(position, entry);
}

void EventQueue::sift_down(std::size_t position, const Entry& entry) {
    for (;;) {
        std::size_t child = 2 * position + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
        if (!before(heap_[child], entry)) break;
        place(position, heap_[child]);
        position = child;
    }
    place(position, entry);
}

void EventQueue::remove_at(std::size_t position) {
    const Entry last = heap_.back();
    heap_.pop_back();
    if (position == heap_.size()) return;
    if (position > 0 && before(last, heap_[(position - 1) / 2])) {
        sift_up(position, last);
    } else {
        sift_down(position, last);
    }
}

void EventQueue::release(std::uint32_t slot) {
    slots_[slot].task = nullptr;
    if (++slots_[slot].generation == 0) slots_[slot].generation = 1;
    free_.push_back(slot);
}

}  // namespace understudy::sim
