#pragma once

#include <string>
#include <utility>

#include "platform/network/fd.h"
#include "understudy/types.h"

namespace understudy::platform {

/// The file of a Unix-domain socket, and the file beside it whose lock shows that we own it. The
/// destructor removes both.
class LocalSocketFile {
public:
    LocalSocketFile() = default;
    /// Requires: `lock` is locked, and we own `path`.
    LocalSocketFile(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    LocalSocketFile(LocalSocketFile&& other) noexcept { *this = std::move(other); }
    LocalSocketFile& operator=(LocalSocketFile&& other) noexcept {
        std::swap(path_, other.path_);
        std::swap(lock_, other.lock_);
        return *this;
    }
    ~LocalSocketFile();

private:
    std::string path_;
    Fd lock_;
};

struct LocalListener {
    Fd socket;
    LocalSocketFile file;
};

/// Listens at `path`, for processes of this user.
///
/// The listening process holds the lock of PATH.lock, which ends with the process. If several want
/// the same path, one gets it. A socket without that lock is left from an ended process and is
/// removed. The socket of another program, which does not use this lock, is kept if it answers.
/// Errors: in_use (none): a process listens there, or the file is not a socket; not_permitted,
/// bad_path, no_such_file, bad_config, no_descriptors (none).
[[nodiscard]] Result<LocalListener> open_local_listener(const std::string& path);

}  // namespace understudy::platform
