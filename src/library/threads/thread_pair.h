#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/log.h"
#include "hosting/process_nodes.h"
#include "library/threads/callbacks.h"
#include "library/threads/hidden.h"
#include "library/threads/loop_thread.h"
#include "understudy/agent.h"
#include "understudy/threads.h"

namespace understudy::library {

/// The threads of one agent, or of several.
struct ThreadPair {
    explicit ThreadPair(const std::shared_ptr<Log>& its_log)
        : log(its_log),
          nodes(*log),
          loop(log, "us-loop"),
          callbacks(std::make_shared<CallbackThread>("us-callback")) {}

    const std::shared_ptr<Log> log;
    hosting::ProcessNodes nodes;  ///< Loop only; outlives the loop.
    LoopThread loop;
    const std::shared_ptr<CallbackThread> callbacks;
    std::set<const Agent::Impl*> agents;  ///< Those that use them. Loop only.
};

/// The threads that the application shares, with one more user, or new ones for this user alone.
/// Errors: bad_config (none): the object was moved from.
[[nodiscard]] Result<std::shared_ptr<ThreadPair>> join_threads(const std::optional<Threads>& shared,
                                                               const std::shared_ptr<Log>& log);

}  // namespace understudy::library

namespace understudy {

/// The state that all copies of a Threads object share: together they are one user of the threads.
struct US_HIDDEN Threads::Impl {
    explicit Impl(std::shared_ptr<library::ThreadPair> its_pair) : pair(std::move(its_pair)) {}
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    const std::shared_ptr<library::ThreadPair> pair;
};

}  // namespace understudy
