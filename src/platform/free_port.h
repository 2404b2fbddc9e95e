#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "platform/network/fd.h"
#include "understudy/result.h"

namespace understudy::platform {

/// A port of loopback for a program that a test or a benchmark starts, and starts again.
///
/// This process keeps the port bound until it ends, so that the system gives it to no other
/// process meanwhile. A listener with SO_REUSEADDR may open and close it; ours and those of the
/// programs that we compare with have it.
[[nodiscard]] inline std::uint16_t free_port() {
    static std::mutex mutex;
    static std::vector<Fd> held;
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    US_ASSERT(socket);
    US_ASSERT(::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    US_ASSERT(::bind(socket.get(), raw, size) == 0);
    US_ASSERT(::getsockname(socket.get(), raw, &size) == 0);
    const std::lock_guard lock(mutex);
    held.push_back(std::move(socket));
    return ntohs(address.sin_port);
}

/// HOST:PORT with such a port.
[[nodiscard]] inline std::string free_address() {
    return "127.0.0.1:" + std::to_string(free_port());
}

}  // namespace understudy::platform
