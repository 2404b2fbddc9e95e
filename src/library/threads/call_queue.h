#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "record/calls.h"
#include "understudy/types.h"

namespace understudy::library {

/// Calls of one proxy on their way to the loop, in their order.
///
/// Bounds: calls_outstanding_max calls, arguments_max_bytes bytes of arguments; more is refused.
/// Thread: any.
class CallQueue {
public:
    static constexpr std::size_t arguments_max_bytes = 64 * MiB;

    using Finished = std::function<void(Result<Buffer>)>;
    struct Item {
        record::CallTable::Call call;
        Finished finished;  ///< Called once, on the loop. Empty: no caller waits.
    };

    /// Returns whether the loop has to be told. Errors: limit_exceeded, closed (none).
    [[nodiscard]] Result<bool> add(Item item);
    [[nodiscard]] std::vector<Item> take();
    /// Refuses further calls, and returns those that wait.
    [[nodiscard]] std::vector<Item> close();

private:
    std::mutex mutex_;
    std::vector<Item> items_;
    std::size_t arguments_bytes_ = 0;
    bool told_ = false;
    bool closed_ = false;
};

}  // namespace understudy::library
