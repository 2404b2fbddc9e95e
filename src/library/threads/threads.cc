#include "understudy/threads.h"

#include <utility>

#include "library/threads/access.h"
#include "library/threads/clock.h"
#include "library/threads/sink_log.h"
#include "library/threads/thread_pair.h"

namespace understudy {

namespace {

constexpr Duration end_max = 2s;

}  // namespace

Threads::Threads(LogSink log)
    : impl_(std::make_shared<Impl>(
          std::make_shared<library::ThreadPair>(library::make_log(std::move(log))))) {}

Threads::Impl::~Impl() {
    const TimePoint deadline = library::later(library::clock_now(), end_max);
    if (pair->loop.leave() && !pair->loop.on_loop()) (void)pair->loop.join(deadline);
    pair->callbacks->leave(pair->loop.on_loop() ? TimePoint{} : deadline);
}

namespace library {

Result<std::shared_ptr<ThreadPair>> join_threads(const std::optional<Threads>& shared,
                                                 const std::shared_ptr<Log>& log) {
    if (!shared) return std::make_shared<ThreadPair>(log);
    const std::shared_ptr<Threads::Impl> impl = Access::impl(*shared);
    if (impl == nullptr) {
        return Error{.code = Errc::bad_config, .detail = "threads: the object was moved from"};
    }
    impl->pair->loop.enter();
    return impl->pair;
}

}  // namespace library

}  // namespace understudy
