#include "platform/network/socket.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "runtime/network.h"

namespace understudy::platform {

namespace {

constexpr const char* host_if_empty = "127.0.0.1";  // An empty host must not expose anything.

Result<std::vector<SocketAddress>> resolve(const Address& address, int flags) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    const char* host = address.host.empty() ? host_if_empty : address.host.c_str();

    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(host, std::to_string(address.port).c_str(), &hints, &found);
    if (error != 0) {
        return Error{.code = Errc::unavailable,
                     .detail = "look up " + address.host + ": " + ::gai_strerror(error)};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);

    std::vector<SocketAddress> addresses;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        SocketAddress& next = addresses.emplace_back();
        US_ASSERT(each->ai_addrlen <= sizeof next.storage);
        std::memcpy(&next.storage, each->ai_addr, each->ai_addrlen);
        next.size = each->ai_addrlen;
    }
    return addresses;
}

/// Small messages are sent at once. A peer that vanished without closing is noticed within seconds,
/// also by an end that only listens. If a peer is only stopped, its kernel answers.
void set_options(int socket, sa_family_t family) {
    // Both ends share a kernel, so nothing is delayed and no end vanishes.
    if (family == AF_UNIX) return;
    const auto set = [socket](int level, int option, int value) {
        // This fails only for a connection that is already dead; the first read will report it.
        (void)::setsockopt(socket, level, option, &value, sizeof value);
    };
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 3);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 8'000);  // Sent and not acknowledged, in ms.
}

// If no process listens on a port of the ephemeral range, the kernel can give that port to the
// connecting socket itself. The socket then talks to itself and blocks the port for the peer.
bool connected_to_itself(int socket) {
    SocketAddress own{.size = sizeof(sockaddr_storage)};
    SocketAddress peer{.size = sizeof(sockaddr_storage)};
    return ::getsockname(socket, own.raw(), &own.size) == 0 &&
           ::getpeername(socket, peer.raw(), &peer.size) == 0 && own.size == peer.size &&
           std::memcmp(&own.storage, &peer.storage, own.size) == 0;
}

Error listen_error(const SocketAddress& address, int error) {
    return system_error(listen_code(error), "listen on " + to_string(to_address(address)), error);
}

}  // namespace

Result<Fd> open_socket(const SocketAddress& address) {
    Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) {
        const int error = errno;
        return system_error(shortage_code(error).value_or(Errc::unavailable), "socket", error);
    }
    return socket;
}

Errc listen_code(int error) {
    if (error == EADDRINUSE) return Errc::in_use;
    // Errors that only a path can have; all others mean an address that is not ours.
    const Errc code = file_code(error);
    return code == Errc::disk_failed ? Errc::bad_config : code;
}

std::optional<SocketAddress> numeric_address(const Address& address) {
    auto found = resolve(address, AI_NUMERICHOST | AI_NUMERICSERV);
    if (!found) return std::nullopt;
    return found->front();
}

Result<std::vector<SocketAddress>> look_up(const Address& address) {
    return resolve(address, AI_ADDRCONFIG | AI_NUMERICSERV);
}

Result<void> check_local_path(const std::string& path) {
    if (path.size() > local_path_max) {
        return Error{.code = Errc::bad_config,
                     .detail = path + ": the path of a socket has at most " +
                               std::to_string(local_path_max) + " bytes"};
    }
    if (path.find('\0') != std::string::npos) {
        return Error{.code = Errc::bad_config, .detail = "a path must not contain a zero byte"};
    }
    return {};
}

SocketAddress local_socket_address(const std::string& path) {
    sockaddr_un place{};
    US_ASSERT(path.size() < sizeof place.sun_path);
    place.sun_family = AF_UNIX;
    path.copy(place.sun_path, path.size());
    SocketAddress address;
    std::memcpy(&address.storage, &place, sizeof place);
    address.size = sizeof place;
    return address;
}

Address to_address(const SocketAddress& address) {
    if (address.storage.ss_family == AF_UNIX) {
        sockaddr_un place{};
        std::memcpy(&place, &address.storage, sizeof place);
        return Address{.host = place.sun_path};
    }
    char host[NI_MAXHOST] = {};
    char port[NI_MAXSERV] = {};
    if (::getnameinfo(address.raw(), address.size, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return {};
    }
    return Address{host, static_cast<std::uint16_t>(std::stoul(port))};
}

Result<Fd> bind_listener(const SocketAddress& address) {
    Fd socket = US_TRY(open_socket(address));
    const int on = 1;
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket.get(), address.raw(), address.size) != 0) return listen_error(address, errno);
    return socket;
}

Result<Fd> open_listener(const SocketAddress& address) {
    Fd socket = US_TRY(bind_listener(address));
    if (::listen(socket.get(), SOMAXCONN) != 0) return listen_error(address, errno);
    return socket;
}

Result<Address> local_address(const Fd& socket) {
    SocketAddress own{.size = sizeof(sockaddr_storage)};
    if (::getsockname(socket.get(), own.raw(), &own.size) != 0) {
        return system_error(Errc::bad_config, "getsockname", errno);
    }
    return to_address(own);
}

Incoming accept_next(int listener) {
    Incoming incoming;
    incoming.peer.size = sizeof incoming.peer.storage;
    incoming.socket = Fd(::accept4(listener, incoming.peer.raw(), &incoming.peer.size,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (incoming.socket) {
        set_options(incoming.socket.get(), incoming.peer.storage.ss_family);
    } else {
        incoming.error = errno;
    }
    return incoming;
}

Result<Fd> begin_connect(const SocketAddress& address) {
    Fd socket = US_TRY(open_socket(address));
    set_options(socket.get(), address.storage.ss_family);
    if (::connect(socket.get(), address.raw(), address.size) != 0 && errno != EINPROGRESS) {
        const int error = errno;
        const bool not_ours = address.storage.ss_family == AF_UNIX && error == EACCES;
        return system_error(not_ours ? Errc::not_permitted : Errc::unavailable,
                            "connect to " + to_string(to_address(address)), error);
    }
    return socket;
}

Result<void> connect_outcome(int socket) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0 && connected_to_itself(socket)) error = ECONNREFUSED;
    if (error != 0) return system_error(Errc::unavailable, "connect", error);
    return {};
}

bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace understudy::platform
