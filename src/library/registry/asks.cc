#include "library/registry/asks.h"

#include <utility>

#include "base/bytes.h"
namespace understudy::library {

Asks::Asks(std::shared_ptr<Log> log, std::shared_ptr<Callbacks> callbacks, std::size_t bytes_max,
           Begin begin, Submissions::Later later, Submissions::Ends ends)
    : begin_(std::move(begin)),
      submissions_(std::move(log), std::move(callbacks), bytes_max, std::move(later),
                   std::move(ends), [this] {
                       if (!held_) take();
                   }) {}

void Asks::ask(std::string_view handler, Bytes arguments, CommandQueue::Full full,
               Answered answered) {
    thread_local Buffer command;
    command.clear();
    ByteWriter writer(command);
    writer.text(handler);
    writer.raw(arguments);
    submissions_.submit(std::nullopt, command, full, std::move(answered));
}

void Asks::drain() {
    held_ = false;
    take();
}

void Asks::take() {
    CommandQueue::Taken& taken = submissions_.take();
    for (CommandQueue::Item& item : taken.items) {
        ByteReader command(Bytes(taken.bytes).subspan(item.offset, item.size));
        const auto handler = command.text();
        US_ASSERT(handler.has_value());
        const std::size_t which = keep(std::move(item.answered), item.size);
        begin_(*handler, command.rest(), [this, which](Result<Bytes> reply) {
            if (!reply) return answer(which, std::move(reply).error());
            answer(which, Buffer(reply->begin(), reply->end()));
        });
    }
}

std::size_t Asks::keep(Answered answered, std::size_t bytes) {
    if (free_.empty()) {
        free_.push_back(pending_.size());
        pending_.emplace_back();
    }
    const std::size_t which = free_.back();
    free_.pop_back();
    pending_[which] = {.answered = std::move(answered), .bytes = bytes, .under_way = true};
    return which;
}

void Asks::answer(std::size_t which, Result<Buffer> reply) {
    Pending& pending = pending_[which];
    US_ASSERT(pending.under_way);
    submissions_.answer(std::move(pending.answered), std::move(reply), pending.bytes);
    pending = {};
    free_.push_back(which);
}

void Asks::give_up(const Error& error) {
    for (std::size_t which = 0; which < pending_.size(); ++which) {
        if (pending_[which].under_way) answer(which, error);
    }
}

}  // namespace understudy::library
