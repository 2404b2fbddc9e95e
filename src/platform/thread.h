#pragma once

#include <functional>
#include <string>
#include <thread>

namespace understudy::platform {

/// Starts a named thread that receives no signals, so those of the host process go to its own
/// threads.
[[nodiscard]] std::thread start_thread(const std::string& name, std::function<void()> body);

}  // namespace understudy::platform
