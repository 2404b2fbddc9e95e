#include "apps/run/supervisor.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace understudy::apps {

Supervisor::Supervisor(std::string socket, std::string_view watchdog_us)
    : socket_(std::move(socket)) {
    std::uint64_t microseconds = 0;
    const char* const end = watchdog_us.data() + watchdog_us.size();
    const auto parsed = std::from_chars(watchdog_us.data(), end, microseconds);
    constexpr std::uint64_t day_us = 86'400'000'000;
    if (parsed.ec == std::errc{} && parsed.ptr == end && microseconds > 0) {
        watchdog_ = std::chrono::microseconds(std::min(microseconds, day_us) / 2);
    }
}

Supervisor Supervisor::of_this_process() {
    const auto variable = [](const char* name) {
        const char* const text = std::getenv(name);
        return std::string(text == nullptr ? "" : text);
    };
    return {variable("NOTIFY_SOCKET"), variable("WATCHDOG_USEC")};
}

void Supervisor::tell(std::string_view message) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // The abstract namespace.
    const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return;
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
    (void)::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                   reinterpret_cast<const sockaddr*>(&address), size);
    (void)::close(descriptor);
}

}  // namespace understudy::apps
