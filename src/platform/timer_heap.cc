#include "platform/timer_heap.h"

namespace understudy::platform {

namespace {

bool before(const TimerHeap::Node& left, const TimerHeap::Node& right) {
    return left.when != right.when ? left.when < right.when : left.order < right.order;
}

}  // namespace

void TimerHeap::add(Node& node) {
    US_ASSERT(node.slot == none);
    node.order = order_++;
    nodes_.push_back(&node);
    rise(node, nodes_.size() - 1);
}

void TimerHeap::remove(Node& node) {
    const std::size_t slot = node.slot;
    US_ASSERT(slot < nodes_.size());
    US_ASSERT(nodes_[slot] == &node);

    Node& last = *nodes_.back();
    nodes_.pop_back();
    node.slot = none;
    if (&last == &node) return;
    rise(last, slot);
    sink(last, last.slot);
}

void TimerHeap::place(Node& node, std::size_t slot) {
    nodes_[slot] = &node;
    node.slot = slot;
}

void TimerHeap::rise(Node& node, std::size_t slot) {
    while (slot > 0) {
        const std::size_t parent = (slot - 1) / 2;
        if (!before(node, *nodes_[parent])) break;
        place(*nodes_[parent], slot);
        slot = parent;
    }
    place(node, slot);
}

void TimerHeap::sink(Node& node, std::size_t slot) {
    for (;;) {
        std::size_t child = 2 * slot + 1;
        if (child >= nodes_.size()) break;
        if (child + 1 < nodes_.size() && before(*nodes_[child + 1], *nodes_[child])) ++child;
        if (!before(*nodes_[child], node)) break;
        place(*nodes_[child], slot);
        slot = child;
    }
    place(node, slot);
}

}  // namespace understudy::platform
