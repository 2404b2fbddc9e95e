#pragma once

#include <functional>
#include <memory>

#include "hosting/places.h"
#include "hosting/replica_client.h"
#include "library/registry/asks.h"
#include "library/threads/callbacks.h"
#include "library/threads/ending.h"
#include "library/threads/hidden.h"
#include "library/threads/loop_thread.h"
#include "library/threads/once.h"
#include "library/threads/thread_pair.h"
#include "library/threads/waiter.h"
#include "understudy/replica_client.h"

namespace understudy {

/// The implementation of a ReplicaClient, built like Replica::Impl.
struct US_HIDDEN ReplicaClient::Impl final : std::enable_shared_from_this<Impl> {
    /// Requires: the threads already count this as a user.
    Impl(std::shared_ptr<Log> its_log, ReplicaClientOptions its_options,
         std::shared_ptr<library::ThreadPair> its_threads);

    /// Errors: in_use, bad_config (none).
    [[nodiscard]] Result<void> begin(hosting::Places::Options where);
    void close(Duration limit);

    /// Calls `begin` on the loop with the client and the function to be called with the answer, and
    /// waits for the answer.
    template <class T, class Begin>
    [[nodiscard]] Result<T> await(Duration timeout, Begin begin) {
        return waiter.await<T>(timeout, [self = shared_from_this(), begin = std::move(begin)](
                                            std::shared_ptr<library::Once<Result<T>>> answer) {
            if (self->client == nullptr) return answer->set(self->waiter.closed(Effect::none));
            begin(*self->client, [answer](Result<T> result) { answer->set(std::move(result)); });
        });
    }

    const std::shared_ptr<Log> log;
    const ReplicaClientOptions options;
    const std::shared_ptr<library::ThreadPair> threads;
    library::LoopThread& loop;
    const std::shared_ptr<library::Callbacks> callbacks;
    library::Ending ending;
    const library::Waiter waiter;
    library::Asks asks;

    // Loop only.
    std::unique_ptr<hosting::Places> places;
    std::unique_ptr<hosting::ReplicaClient> client;

private:
    void close_on_loop();
    void later(std::function<void()> task);
};

}  // namespace understudy
