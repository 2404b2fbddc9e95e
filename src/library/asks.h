#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "library/callbacks.h"
#include "library/command_queue.h"
#include "library/loop_thread.h"

namespace understudy::library {

/// Calls of handlers on their way to the loop, in their order, and the answers on their way back to
/// the callback thread: each many at once.
///
/// Whoever posts to the loop keeps the owner alive, by `later`. Thread: as said.
class Asks {
public:
    using Answered = std::function<void(Result<Buffer> reply)>;
    /// Begins one, on the loop; is told its answer there.
    using Begin = std::function<void(std::string_view handler, Bytes arguments,
                                     std::function<void(Result<Bytes>)> then)>;
    /// Posts a task to the loop; any thread.
    using Later = std::function<void(std::function<void()>)>;

    Asks(std::shared_ptr<Log> log, std::shared_ptr<Callbacks> callbacks, std::size_t bytes_max,
         Begin begin, Later later);

    /// Any thread. `full`: whether it may wait for room.
    void ask(std::string_view handler, Bytes arguments, CommandQueue::Full full,
             Answered answered);
    /// Any thread: takes nothing more.
    void close();

    // On the loop.
    /// From now on they wait; drain() goes on.
    void hold() { held_ = true; }
    void drain();
    /// What has no answer yet gets this one. Requires: nobody will tell another any more.
    void give_up(const Error& error);
    void flush();

private:
    struct Pending {
        Answered answered;
        std::size_t bytes = 0;
        bool under_way = false;
    };
    struct Answer {
        Answered answered;
        Result<Buffer> reply;
    };
    void take();
    [[nodiscard]] std::size_t keep(Answered answered, std::size_t bytes);
    void answer(std::size_t which, Result<Buffer> reply);

    const std::shared_ptr<Log> log_;
    const std::shared_ptr<Callbacks> callbacks_;
    const Begin begin_;
    const Later later_;
    const std::shared_ptr<CommandQueue> queue_;  // Answers that are told outlive this.

    // Loop only.
    bool held_ = false;
    CommandQueue::Taken taken_;
    std::vector<Pending> pending_;
    std::vector<std::size_t> free_;  ///< Places in pending_.
    std::vector<Answer> answers_;
    std::size_t answers_bytes_ = 0;
};

}  // namespace understudy::library
