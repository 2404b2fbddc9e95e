#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "hosting/copy.h"
#include "hosting/places.h"
#include "hosting/replica_member.h"
#include "library/threads/callbacks.h"
#include "library/threads/ending.h"
#include "library/threads/hidden.h"
#include "library/threads/loop_thread.h"
#include "library/threads/once.h"
#include "library/threads/status_board.h"
#include "library/threads/submissions.h"
#include "library/threads/thread_pair.h"
#include "library/threads/waiter.h"
#include "understudy/replica.h"

namespace understudy {

/// The implementation of a Replica. Commands go to the loop, and answers come back to the callback
/// thread, both in batches.
///
/// Tasks on the loop keep this object alive; close() ends that cycle.
struct US_HIDDEN Replica::Impl final : std::enable_shared_from_this<Impl>,
                                       private hosting::Copy::Owner {
    /// Requires: the threads already count this as a user.
    Impl(std::shared_ptr<Log> its_log, ReplicaOptions its_options, MakeStateMachine its_make,
         std::shared_ptr<library::ThreadPair> its_threads);

    void begin();
    void close(Duration limit);

    // Any thread.
    void submit(const std::optional<Request>& request, Bytes command, Answered answered);
    [[nodiscard]] ReplicaStatus current();
    /// Calls `begin` on the loop with the function to be called with the answer, and waits for the
    /// answer.
    template <class T, class Begin>
    [[nodiscard]] Result<T> await(Duration timeout, Begin begin) {
        return waiter.await<T>(timeout, [self = shared_from_this(), begin = std::move(begin)](
                                            std::shared_ptr<library::Once<Result<T>>> answer) {
            begin(*self, [answer](Result<T> result) { answer->set(std::move(result)); });
        });
    }

    // On the loop.
    [[nodiscard]] Result<hosting::ReplicaMember*> serving();

    const std::shared_ptr<Log> log;
    const ReplicaOptions options;
    const MakeStateMachine make;
    const std::shared_ptr<library::ThreadPair> threads;
    library::LoopThread& loop;
    const std::shared_ptr<library::Callbacks> callbacks;
    library::Ending ending;
    const library::Waiter waiter;
    library::StatusBoard<ReplicaStatus> board;

private:
    [[nodiscard]] Result<void> begin_on_loop();
    void open();
    [[nodiscard]] std::unique_ptr<journal::Opening> open_member(
        const journal::Open& journal, std::optional<replica::CheckpointDuty> duty,
        hosting::Copy::Opened opened);
    /// Null while it is not open.
    [[nodiscard]] hosting::ReplicaMember* member() const;
    void drain();
    void failed(const Error& error);
    void close_on_loop();
    void close_places();
    void end_on_loop();
    [[nodiscard]] ReplicaStatus status_on_loop() const;
    void later(std::function<void()> task);

    // hosting::Copy::Owner
    void copy_opened() override {}
    void copy_standing_changed() override { board.show(status_on_loop()); }
    void copy_reopens() override { open(); }
    void copy_failed(const Error& error) override;

    library::Submissions submissions;

    // Loop only.
    std::optional<hosting::OwnAddress> own;  ///< Where clients connect.
    std::shared_ptr<StateMachine> machine;
    std::unique_ptr<hosting::Places> places;
    std::unique_ptr<hosting::Copy> copy;
};

}  // namespace understudy
