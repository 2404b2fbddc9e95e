#include "understudy/threads.h"

#include <utility>

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

}  // namespace understudy
