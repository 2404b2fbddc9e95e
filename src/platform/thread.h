#pragma once

#include <functional>
#include <string>
#include <thread>

namespace understudy::platform {

/// Starts a named thread that receives no signals: those of the host process stay with its own.
[[nodiscard]] std::thread start_thread(const std::string& name, std::function<void()> body);

}  // namespace understudy::platform
