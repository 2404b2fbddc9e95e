#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "library/replica/replica_journal.h"
#include "library/threads/callbacks.h"
#include "library/threads/ending.h"
#include "library/threads/hidden.h"
#include "library/threads/loop_thread.h"
#include "library/threads/once.h"
#include "library/threads/status_board.h"
#include "library/threads/submissions.h"
#include "library/threads/waiter.h"
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
    void submit(const std::optional<Request>& request, Bytes command, Answered answered);
    [[nodiscard]] ReplicaStatus current();
    /// Calls `begin` on the loop with what is to be called with the answer, and waits for it.
    template <class T, class Begin>
    [[nodiscard]] Result<T> await(Duration timeout, Begin begin) {
        return waiter.await<T>(timeout, [self = shared_from_this(), begin = std::move(begin)](
                                            std::shared_ptr<library::Once<Result<T>>> answer) {
            begin(*self, [answer](Result<T> result) { answer->set(std::move(result)); });
        });
    }

    // On the loop.
    void opened(Result<std::unique_ptr<replica::Replica>> result);
    [[nodiscard]] Result<replica::Replica*> serving();
    void drain();
    void failed(const Error& error);
    void close_on_loop();
    void end_on_loop();
    [[nodiscard]] ReplicaStatus status_on_loop() const;
    void later(std::function<void()> task);

    const std::shared_ptr<Log> log;
    const ReplicaOptions options;
    const std::shared_ptr<StateMachine> machine;
    const std::shared_ptr<library::Callbacks> callbacks;
    library::Ending ending;
    const library::Waiter waiter;
    library::StatusBoard<ReplicaStatus> board;
    library::Submissions submissions;

    // Loop only.
    std::unique_ptr<library::ReplicaJournal> journal;
    std::unique_ptr<journal::Opening> opening;
    std::unique_ptr<replica::Replica> replica;

    library::LoopThread loop;  ///< Ends before what it works on.
};

}  // namespace understudy
