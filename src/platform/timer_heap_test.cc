#include "platform/timer_heap.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy::platform {
namespace {

TimePoint at_ms(std::uint64_t ms) { return TimePoint(std::chrono::milliseconds(ms)); }

TEST(TimerHeap, EqualDeadlinesFireInTheOrderOfAdding) {
    TimerHeap heap;
    std::array<TimerHeap::Node, 5> nodes;
    for (TimerHeap::Node& node : nodes) {
        node.when = at_ms(7);
        heap.add(node);
    }

    for (TimerHeap::Node& node : nodes) {
        ASSERT_EQ(heap.first(), &node);
        heap.remove(node);
    }
    EXPECT_EQ(heap.first(), nullptr);
}

// Against a sorted list, through ten thousand random additions and removals.
TEST(TimerHeap, FirstIsAlwaysTheEarliestOfThoseLeft) {
    Random random(20);
    TimerHeap heap;
    std::array<TimerHeap::Node, 64> nodes;
    std::vector<TimerHeap::Node*> model;

    for (int step = 0; step < 10'000; ++step) {
        TimerHeap::Node& node = nodes[random.below(nodes.size())];
        if (node.slot == TimerHeap::none) {
            node.when = at_ms(random.below(20));
            heap.add(node);
            model.push_back(&node);
        } else {
            heap.remove(node);
            std::erase(model, &node);
        }
        const auto earliest =
            std::min_element(model.begin(), model.end(), [](const auto* left, const auto* right) {
                return std::pair(left->when, left->order) < std::pair(right->when, right->order);
            });
        ASSERT_EQ(heap.first(), earliest == model.end() ? nullptr : *earliest) << "step " << step;
    }
}

}  // namespace
}  // namespace understudy::platform
