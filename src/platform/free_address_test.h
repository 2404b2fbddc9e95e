#pragma once

#include <string>

#include "base/log.h"
#include "platform/asio_runtime.h"
#include "runtime/runtime.h"

namespace understudy::platform {

/// HOST:PORT of this machine, with a port that was free a moment ago.
[[nodiscard]] inline std::string free_address() {
    NullLog log;
    AsioRuntime runtime(log);
    const auto listener = runtime.network().listen({"127.0.0.1", 0}, std::nullopt, [](auto) {});
    US_ASSERT(listener);
    return to_string((*listener)->address());
}

}  // namespace understudy::platform
