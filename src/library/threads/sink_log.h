#pragma once

#include <memory>

#include "base/log.h"
#include "understudy/agent.h"

namespace understudy::library {

/// Where the library's events go: to the application's sink, or warnings and errors to stderr.
/// What a sink throws is swallowed: there is nowhere to report it.
[[nodiscard]] std::shared_ptr<Log> make_log(LogSink sink);

}  // namespace understudy::library
