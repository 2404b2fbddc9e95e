#include "library/threads/submissions.h"

#include <utility>

#include "library/threads/guard.h"

namespace understudy::library {

Submissions::Submissions(std::shared_ptr<Log> log, std::shared_ptr<Callbacks> callbacks,
                         std::size_t bytes_max, Later later, Ends ends, std::function<void()> came)
    : log_(std::move(log)),
      callbacks_(std::move(callbacks)),
      later_(std::move(later)),
      ends_(std::move(ends)),
      came_(std::move(came)),
      queue_(std::make_shared<CommandQueue>(bytes_max)) {}

void Submissions::submit(const std::optional<Request>& request, Bytes command,
                         CommandQueue::Full full, Answered answered) {
    auto told = queue_->add(request, command, answered, full);
    if (!told) {
        callbacks_->post([answered = std::move(answered), error = std::move(told).error()] {
            if (answered) answered(error);
        });
    } else if (*told) {
        later_([this] { came_(); });
    }
}

void Submissions::close() { queue_->close(); }

CommandQueue::Taken& Submissions::take() {
    taken_ = queue_->take(std::move(taken_));
    return taken_;
}

void Submissions::answer(Answered answered, Result<Buffer> reply, std::size_t bytes) {
    if (!flush_) flush_.emplace(ends_(), TurnPhase::messages, [this] { flush(); });
    flush_->mark();
    answers_.push_back({.answered = std::move(answered), .reply = std::move(reply)});
    answers_bytes_ += bytes;
}

void Submissions::flush() {
    if (flush_) flush_->unmark();
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
