#pragma once

// The only place that includes Boost.Asio. Only files of this folder include it, and no header that
// another module includes. So the library can be replaced by changing one folder.

#ifndef BOOST_ASIO_SEPARATE_COMPILATION
#define BOOST_ASIO_SEPARATE_COMPILATION  // Its functions are compiled once, in asio.cc.
#endif
#ifndef BOOST_ASIO_NO_DEPRECATED
#define BOOST_ASIO_NO_DEPRECATED
#endif
#if defined(__SANITIZE_THREAD__) && !defined(BOOST_ASIO_DISABLE_FENCED_BLOCK)
#define BOOST_ASIO_DISABLE_FENCED_BLOCK  // The thread sanitizer does not understand fences; Asio's
                                         // locks are enough for it.
#endif

#include <chrono>

#include <boost/asio/basic_signal_set.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>

namespace understudy::platform {

namespace asio = boost::asio;

/// A descriptor for which the loop can wait. We make the system calls ourselves. Only so can every
/// descriptor have close-on-exec from the start, and all connections of a loop share one read
/// buffer.
using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

/// CLOCK_MONOTONIC, with the same time points as TimePoint.
using WakeTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>,
                               asio::io_context::executor_type>;

}  // namespace understudy::platform
