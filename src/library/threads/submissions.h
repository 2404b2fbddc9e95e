#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/log.h"
#include "library/threads/callbacks.h"
#include "library/threads/command_queue.h"
#include "runtime/turn_end.h"

namespace understudy::library {

/// Commands on their way to the loop, in their order, and answers on their way back to the callback
/// thread, all of one turn at once.
///
/// Requires: tasks that `later` posts keep the owner alive, and flush() is the last call on the
/// loop. Thread: each function says it. Bounds: those of CommandQueue. A command counts until its
/// answer has been given.
class Submissions {
public:
    using Answered = std::function<void(Result<Buffer> reply)>;
    /// Posts a task to the loop. Called on any thread.
    using Later = std::function<void(std::function<void()>)>;
    /// Returns those of the loop. Called on the loop.
    using Ends = std::function<TurnEnds&()>;

    /// `came` is called on the loop when there is something to take().
    Submissions(std::shared_ptr<Log> log, std::shared_ptr<Callbacks> callbacks,
                std::size_t bytes_max, Later later, Ends ends, std::function<void()> came);

    /// Any thread. `full` says whether it may wait for room. `answered` may be null.
    void submit(const std::optional<Request>& request, Bytes command, CommandQueue::Full full,
                Answered answered);
    /// Any thread. Refuses further commands.
    void close();

    // On the loop.
    /// All commands that wait. They are valid until the next call. Each must be answered once, with
    /// its size.
    [[nodiscard]] CommandQueue::Taken& take();
    void answer(Answered answered, Result<Buffer> reply, std::size_t bytes);
    /// Gives the answers of this turn to the callback thread. It is called at the end of the turn.
    void flush();

private:
    struct Answer {
        Answered answered;
        Result<Buffer> reply;
    };

    const std::shared_ptr<Log> log_;
    const std::shared_ptr<Callbacks> callbacks_;
    const Later later_;
    const Ends ends_;
    const std::function<void()> came_;
    const std::shared_ptr<CommandQueue> queue_;  // Shared with tasks that outlive this object.

    // Loop only.
    CommandQueue::Taken taken_;
    std::optional<TurnEnd> flush_;  ///< Made with the first answer.
    std::vector<Answer> answers_;
    std::size_t answers_bytes_ = 0;
};

}  // namespace understudy::library
