#pragma once

#include <memory>

#include "base/log.h"
#include "understudy/agent.h"

namespace understudy::library {

/// A log that passes the library's events to the application's sink; without one, warnings and
/// errors to stderr. An exception of the sink is dropped: it could be reported nowhere.
[[nodiscard]] std::shared_ptr<Log> make_log(LogSink sink);

}  // namespace understudy::library
