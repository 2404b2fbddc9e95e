#include "library/asks.h"

#include <utility>

#include "base/bytes.h"
#include "library/guard.h"

namespace understudy::library {

Asks::Asks(std::shared_ptr<Log> log, std::shared_ptr<Callbacks> callbacks, std::size_t bytes_max,
           Begin begin, Later later)
    : log_(std::move(log)),
      callbacks_(std::move(callbacks)),
      begin_(std::move(begin)),
      later_(std::move(later)),
      queue_(std::make_shared<CommandQueue>(bytes_max)) {}

void Asks::ask(std::string_view handler, Bytes arguments, CommandQueue::Full full,
               Answered answered) {
    thread_local Buffer command;
    command.clear();
    ByteWriter writer(command);
    writer.text(handler);
    writer.raw(arguments);
    auto told = queue_->add(std::nullopt, command, answered, full);
    if (!told) {
        callbacks_->post([answered = std::move(answered), error = std::move(told).error()] {
            if (answered) answered(error);
        });
    } else if (*told) {
        later_([this] {
            if (!held_) take();
        });
    }
}

void Asks::close() { queue_->close(); }

void Asks::drain() {
    held_ = false;
    take();
}

void Asks::take() {
    taken_ = queue_->take(std::move(taken_));
    for (CommandQueue::Item& item : taken_.items) {
        ByteReader command(Bytes(taken_.bytes).subspan(item.offset, item.size));
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
    if (answers_.empty()) later_([this] { flush(); });
    answers_.push_back({.answered = std::move(pending.answered), .reply = std::move(reply)});
    answers_bytes_ += pending.bytes;
    pending = {};
    free_.push_back(which);
}

void Asks::give_up(const Error& error) {
    for (std::size_t which = 0; which < pending_.size(); ++which) {
        if (pending_[which].under_way) answer(which, error);
    }
}

/// One task for all that were answered in this turn.
void Asks::flush() {
    const std::size_t bytes = std::exchange(answers_bytes_, 0);
    auto told = std::make_shared<std::vector<Answer>>(std::exchange(answers_, {}));
    const std::size_t count = told->size();
    const bool posted = callbacks_->post([log = log_, queue = queue_, told, bytes] {
        for (Answer& each : *told) {
            if (!each.answered) continue;
            guarded(*log, "answer", [&] { each.answered(std::move(each.reply)); });
        }
        queue->release(told->size(), bytes);
    });
    if (!posted) queue_->release(count, bytes);
}

}  // namespace understudy::library
