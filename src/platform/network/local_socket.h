#pragma once

#include <string>
#include <utility>

#include "platform/network/fd.h"
#include "understudy/types.h"

namespace understudy::platform {

/// The file by which a Unix-domain socket is found, and the one beside it whose lock says that it
/// is ours. Destroying this removes both.
class LocalSocketFile {
public:
    LocalSocketFile() = default;
    /// Requires: `lock` is locked, and `path` ours.
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
/// Whoever listens holds the lock of PATH.lock, which ends with its process: of several that want
/// the same path one gets it, and what lies there without that lock was left behind. Another
/// program's socket, which knows no such lock, stays if it answers.
/// Errors: in_use (none): somebody listens there, or it is no socket; not_permitted,
///         bad_path, no_such_file, bad_config, no_descriptors (none).
[[nodiscard]] Result<LocalListener> open_local_listener(const std::string& path);

}  // namespace understudy::platform
