#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/log.h"
#include "library/threads/callbacks.h"
#include "library/threads/command_queue.h"

namespace understudy::library {

/// Commands on their way to the loop, in their order, and the answers on their way back to the
/// callback thread: each many at once.
///
/// Whoever posts to the loop keeps the owner alive, by `later`. Thread: as said.
/// Bounds: those of CommandQueue; a command counts until its answer has been told.
class Submissions {
public:
    using Answered = std::function<void(Result<Buffer> reply)>;
    /// Posts a task to the loop; any thread.
    using Later = std::function<void(std::function<void()>)>;

    /// `came` is called on the loop when there is something to take().
    Submissions(std::shared_ptr<Log> log, std::shared_ptr<Callbacks> callbacks,
                std::size_t bytes_max, Later later, std::function<void()> came);

    /// Any thread. `full`: whether it may wait for room. `answered` may be null.
    void submit(const std::optional<Request>& request, Bytes command, CommandQueue::Full full,
                Answered answered);
    /// Any thread: takes nothing more.
    void close();

    // On the loop.
    /// All that has come, until the next call. Each is to be answered once, and counts its size.
    [[nodiscard]] CommandQueue::Taken& take();
    void answer(Answered answered, Result<Buffer> reply, std::size_t bytes);
    /// Hands on what was answered in this turn; comes by itself at its end.
    void flush();

private:
    struct Answer {
        Answered answered;
        Result<Buffer> reply;
    };

    const std::shared_ptr<Log> log_;
    const std::shared_ptr<Callbacks> callbacks_;
    const Later later_;
    const std::function<void()> came_;
    const std::shared_ptr<CommandQueue> queue_;  // Answers that are told outlive this.

    // Loop only.
    CommandQueue::Taken taken_;
    std::vector<Answer> answers_;
    std::size_t answers_bytes_ = 0;
};

}  // namespace understudy::library
