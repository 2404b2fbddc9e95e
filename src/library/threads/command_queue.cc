#include "library/threads/command_queue.h"

#include <utility>

namespace understudy::library {

Result<bool> CommandQueue::add(const std::optional<Request>& request, Bytes command,
                               Replica::Answered& answered, Full full) {
    std::unique_lock lock(mutex_);
    const auto room = [&] {
        // A command of any size is taken when there is no other one.
        return outstanding_ == 0 ||
               (outstanding_ < Replica::outstanding_max &&
                outstanding_bytes_ + command.size() <= bytes_max_);
    };
    if (!closed_ && !room()) {
        if (full == Full::refuse) {
            return Error{.code = Errc::limit_exceeded, .detail = "too many commands are under way"};
        }
        ++submitters_waiting_;
        room_.wait(lock, [&] { return closed_ || room(); });
        --submitters_waiting_;
    }
    if (closed_) return Error{.code = Errc::closed, .detail = "the replica is closed"};
    ++outstanding_;
    outstanding_bytes_ += command.size();
    waiting_.items.push_back({.request = request,
                              .offset = waiting_.bytes.size(),
                              .size = command.size(),
                              .answered = std::move(answered)});
    waiting_.bytes.insert(waiting_.bytes.end(), command.begin(), command.end());
    return !std::exchange(told_, true);
}

CommandQueue::Taken CommandQueue::take(Taken spare) {
    spare.items.clear();
    spare.bytes.clear();
    const std::lock_guard lock(mutex_);
    told_ = false;
    return std::exchange(waiting_, std::move(spare));
}

void CommandQueue::release(std::size_t count, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    outstanding_ -= count;
    outstanding_bytes_ -= bytes;
    if (submitters_waiting_ > 0) room_.notify_all();
}

void CommandQueue::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
}

}  // namespace understudy::library
