#pragma once

#include <optional>
#include <vector>

#include <sys/socket.h>

#include "platform/network/fd.h"
#include "understudy/types.h"

namespace understudy::platform {

/// One numeric address in the form of the system.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* raw() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
    [[nodiscard]] sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

/// The address, if `address` is numeric; an empty host is 127.0.0.1.
[[nodiscard]] std::optional<SocketAddress> numeric_address(const Address& address);
/// All addresses of a name, best first. Blocks until the name servers answer.
/// Errors: unavailable (none).
[[nodiscard]] Result<std::vector<SocketAddress>> look_up(const Address& address);
[[nodiscard]] Address to_address(const SocketAddress& address);
/// Errors: bad_config (none): for example too long.
[[nodiscard]] Result<void> check_local_path(const std::string& path);
/// Requires: a path that the system accepts, without a zero byte.
[[nodiscard]] SocketAddress local_socket_address(const std::string& path);

// All sockets created here are non-blocking, closed on exec, and without Nagle's delay.

/// A socket that is bound to the address and refuses connections. Another socket of open_listener()
/// may listen on the same address meanwhile.
/// Errors: in_use, not_permitted, bad_config, no_descriptors, no_memory (none).
[[nodiscard]] Result<Fd> bind_listener(const SocketAddress& address);
/// Errors: as bind_listener().
[[nodiscard]] Result<Fd> open_listener(const SocketAddress& address);
/// The actual address of a listener. Errors: bad_config (none).
[[nodiscard]] Result<Address> local_address(const Fd& socket);

/// The next waiting connection; an empty Fd with `error` = errno if there is none.
struct Incoming {
    Fd socket;
    SocketAddress peer;
    int error = 0;
};
[[nodiscard]] Incoming accept_next(int listener);

/// A socket for `address`, not bound yet. Errors: unavailable, no_descriptors, no_memory (none).
[[nodiscard]] Result<Fd> open_socket(const SocketAddress& address);
/// The code for an errno of `bind` or `listen`.
[[nodiscard]] Errc listen_code(int error);

/// Begins to connect. Once the socket is writable, connect_outcome() returns the outcome.
/// Errors: unavailable, not_permitted, no_descriptors, no_memory (none).
[[nodiscard]] Result<Fd> begin_connect(const SocketAddress& address);
/// Errors: unavailable (none).
[[nodiscard]] Result<void> connect_outcome(int socket);

[[nodiscard]] bool would_block(int error);

}  // namespace understudy::platform
