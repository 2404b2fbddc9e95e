#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "library/callbacks.h"
#include "library/command_queue.h"
#include "library/ending.h"
#include "library/hidden.h"
#include "library/listeners.h"
#include "library/loop_thread.h"
#include "library/replica_journal.h"
#include "replica/replica.h"
#include "understudy/replica.h"

namespace understudy {

/// What stands behind a Replica: commands go to the loop, answers come back to the callback thread,
/// each many at once.
///
/// What runs on the loop keeps this alive; close() breaks the circle.
struct US_HIDDEN Replica::Impl final : std::enable_shared_from_this<Impl> {
    Impl(std::shared_ptr<Log> its_log, ReplicaOptions its_options,
         std::shared_ptr<StateMachine> its_machine);

    void begin();
    void close(Duration limit);

    // Any thread.
    [[nodiscard]] bool may_wait() const { return !loop.on_loop() && !callbacks->on_thread(); }
    [[nodiscard]] Result<void> wait_for(Duration timeout, const std::function<bool()>& reached);
    void submit(const std::optional<Request>& request, Bytes command, Answered answered);
    [[nodiscard]] ReplicaStatus current() const;
    /// Calls `begin` on the loop with what is to be called with the answer, and waits for it.
    template <class T, class Begin>
    [[nodiscard]] Result<T> await(Duration timeout, Begin begin);

    // On the loop.
    void opened(Result<std::unique_ptr<replica::Replica>> result);
    [[nodiscard]] Result<replica::Replica*> serving();
    void drain();
    void answer(Answered answered, Result<Buffer> reply, std::size_t bytes);
    void flush_answers();
    void standing_changed();
    void failed(const Error& error);
    void close_on_loop();
    void end_on_loop();
    [[nodiscard]] ReplicaStatus status_on_loop() const;
    void later(void (Impl::*what)());

    const std::shared_ptr<Log> log;
    const ReplicaOptions options;
    const std::shared_ptr<StateMachine> machine;
    const std::shared_ptr<library::Callbacks> callbacks;
    library::Listeners<ReplicaStatus> role_listeners;
    library::CommandQueue queue;
    library::Ending ending;

    mutable std::mutex mutex;
    std::condition_variable changed;  ///< Of anything below.
    ReplicaStatus seen;

    // Loop only.
    struct Answer {
        Answered answered;
        Result<Buffer> reply;
    };
    std::unique_ptr<library::ReplicaJournal> journal;
    std::unique_ptr<journal::Opening> opening;
    std::unique_ptr<replica::Replica> replica;
    library::CommandQueue::Taken taken;
    std::vector<Answer> answers;
    std::size_t answers_bytes = 0;

    library::LoopThread loop;  ///< Ends before what it works on.
};

template <class T, class Begin>
Result<T> Replica::Impl::await(Duration timeout, Begin begin) {
    if (!may_wait()) {
        return Error{.code = Errc::bad_config, .detail = "a callback may not wait for an answer"};
    }
    if (ending.begun()) return Error{.code = Errc::closed, .detail = "the replica is closed"};
    const auto answer = std::make_shared<library::Once<Result<T>>>();
    auto outcome = loop.await(
        [self = shared_from_this(), begin = std::move(begin), answer] {
            begin(*self, [answer](Result<T> result) { answer->set(std::move(result)); });
        },
        *answer, library::later(library::clock_now(), timeout));
    if (outcome) return *std::move(outcome);
    const bool over = ending.begun();
    return Error{.code = over ? Errc::closed : Errc::timed_out,
                 .effect = Effect::unknown,
                 .detail = over ? "the replica was closed meanwhile" : "no answer in time"};
}

}  // namespace understudy
