#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "library/threads/callbacks.h"
#include "library/threads/command_queue.h"
#include "library/threads/submissions.h"

namespace understudy::library {

/// Calls of handlers on their way to the loop, and their answers on the way back (Submissions). It
/// knows which calls have no answer yet, so that its owner can answer them when it ends.
///
/// Thread: each function says it.
class Asks {
public:
    using Answered = Submissions::Answered;
    /// Begins a call, on the loop. `then` is called there with the answer.
    using Begin = std::function<void(std::string_view handler, Bytes arguments,
                                     std::function<void(Result<Bytes>)> then)>;

    Asks(std::shared_ptr<Log> log, std::shared_ptr<Callbacks> callbacks, std::size_t bytes_max,
         Begin begin, Submissions::Later later, Submissions::Ends ends);

    /// Any thread. `full` says whether it may wait for room.
    void ask(std::string_view handler, Bytes arguments, CommandQueue::Full full,
             Answered answered);
    /// Any thread. Refuses further calls.
    void close() { submissions_.close(); }

    // On the loop.
    /// Calls wait from now on, until drain().
    void hold() { held_ = true; }
    void drain();
    /// All calls without an answer get this error. Requires: no other answer to them will come.
    void give_up(const Error& error);
    void flush() { submissions_.flush(); }

private:
    struct Pending {
        Answered answered;
        std::size_t bytes = 0;
        bool under_way = false;
    };
    void take();
    [[nodiscard]] std::size_t keep(Answered answered, std::size_t bytes);
    void answer(std::size_t which, Result<Buffer> reply);

    const Begin begin_;
    Submissions submissions_;

    // Loop only.
    bool held_ = false;
    std::vector<Pending> pending_;
    std::vector<std::size_t> free_;  ///< Places in pending_.
};

}  // namespace understudy::library
