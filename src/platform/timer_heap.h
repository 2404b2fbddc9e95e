#pragma once

#include <cstdint>
#include <vector>

#include "understudy/types.h"

namespace understudy::platform {

/// Pending timers by deadline, then by the order in which they were added. It is a binary heap
/// whose nodes know their place, so that cancelling needs no search.
///
/// It knows no clock.
class TimerHeap {
public:
    struct Node {
        TimePoint when{};
        std::uint64_t order = 0;  ///< Set by add(); grows with each.
        std::size_t slot = none;  ///< none: not in the heap.
    };
    static constexpr std::size_t none = ~std::size_t{0};

    /// Requires: the node is in no heap, and keeps its address until it is removed.
    void add(Node& node);
    /// Requires: in this heap.
    void remove(Node& node);
    /// The next timer to go off; null if there is none.
    [[nodiscard]] Node* first() const { return nodes_.empty() ? nullptr : nodes_.front(); }
    /// The order that the next added node will have.
    [[nodiscard]] std::uint64_t next_order() const { return order_; }

private:
    void place(Node& node, std::size_t slot);
    void rise(Node& node, std::size_t slot);
    void sink(Node& node, std::size_t slot);

    std::vector<Node*> nodes_;
    std::uint64_t order_ = 0;
};

}  // namespace understudy::platform
