#include "library/threads/call_queue.h"

#include <utility>

#include <fmt/format.h>

#include "understudy/limits.h"

namespace understudy::library {

Result<bool> CallQueue::add(Item item) {
    const std::size_t size = item.call.arguments.size();
    const std::lock_guard lock(mutex_);
    if (closed_) return Error{.code = Errc::closed, .detail = "the proxy is closed"};
    if (items_.size() >= calls_outstanding_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} calls wait to be sent", calls_outstanding_max)};
    }
    if (arguments_bytes_ + size > arguments_max_bytes) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} MiB of arguments wait to be sent",
                                           arguments_max_bytes / MiB)};
    }
    arguments_bytes_ += size;
    items_.push_back(std::move(item));
    return !std::exchange(told_, true);
}

std::vector<CallQueue::Item> CallQueue::take() {
    std::vector<Item> items;
    const std::lock_guard lock(mutex_);
    items.swap(items_);
    arguments_bytes_ = 0;
    told_ = false;
    return items;
}

std::vector<CallQueue::Item> CallQueue::close() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    return take();
}

}  // namespace understudy::library
