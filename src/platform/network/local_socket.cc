#include "platform/network/local_socket.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "platform/network/socket.h"

namespace understudy::platform {

namespace {

constexpr int tries_max = 64;  // A try fails if another process ends or starts at the same moment.

[[nodiscard]] std::string lock_of(const std::string& path) { return path + ".lock"; }

[[nodiscard]] bool is_at(const Fd& file, const std::string& path) {
    struct stat own {};
    struct stat found {};
    return ::fstat(file.get(), &own) == 0 && ::lstat(path.c_str(), &found) == 0 &&
           own.st_dev == found.st_dev && own.st_ino == found.st_ino;
}

[[nodiscard]] Error taken(const std::string& path, const char* why) {
    return {.code = Errc::in_use, .detail = "listen on " + path + ": " + why};
}

/// The lock on the file that still exists: its owner removes the file before it releases the lock.
[[nodiscard]] Result<Fd> lock(const std::string& path) {
    const std::string name = lock_of(path);
    for (int i = 0; i < tries_max; ++i) {
        Fd file(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file) return system_error(listen_code(errno), "listen on " + path, errno);
        if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) return taken(path, "another process listens there");
            return system_error(file_code(errno), "lock " + name, errno);
        }
        if (is_at(file, name)) return file;
    }
    return taken(path, "other processes try to listen there too");
}

/// Requires: we hold the lock.
[[nodiscard]] Result<void> clear(const std::string& path) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) return {};
    if (!S_ISSOCK(found.st_mode)) return taken(path, "this file is not a socket");
    const SocketAddress address = local_socket_address(path);
    const Fd probe = US_TRY(open_socket(address));
    if (::connect(probe.get(), address.raw(), address.size) == 0 || errno != ECONNREFUSED) {
        return taken(path, "another process listens there");
    }
    if (::unlink(path.c_str()) != 0) {
        return system_error(file_code(errno), "replace " + path, errno);
    }
    return {};
}

/// Requires: we hold the lock, and there is no file.
[[nodiscard]] Result<Fd> listen_at(const std::string& path) {
    const SocketAddress address = local_socket_address(path);
    Fd socket = US_TRY(open_socket(address));
    if (::bind(socket.get(), address.raw(), address.size) != 0) {
        return system_error(listen_code(errno), "listen on " + path, errno);
    }
    // No process can connect before the socket listens.
    if (::chmod(path.c_str(), 0600) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
        const int error = errno;
        (void)::unlink(path.c_str());
        return system_error(listen_code(error), "listen on " + path, error);
    }
    return socket;
}

}  // namespace

LocalSocketFile::~LocalSocketFile() {
    // The files may have been removed, and another process may own the path now.
    if (!lock_ || !is_at(lock_, lock_of(path_))) return;
    (void)::unlink(path_.c_str());
    (void)::unlink(lock_of(path_).c_str());
}

Result<LocalListener> open_local_listener(const std::string& path) {
    US_CHECK(check_local_path(path));
    Fd locked = US_TRY(lock(path));
    auto socket = Result<Fd>(Fd());
    if (auto cleared = clear(path); !cleared) {
        socket = std::move(cleared).error();
    } else {
        socket = listen_at(path);
    }
    if (!socket) {
        (void)::unlink(lock_of(path).c_str());
        return std::move(socket).error();
    }
    return LocalListener{.socket = std::move(*socket),
                         .file = LocalSocketFile(path, std::move(locked))};
}

}  // namespace understudy::platform
