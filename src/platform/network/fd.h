#pragma once

#include <optional>
#include <utility>

#include <unistd.h>

#include "understudy/types.h"

namespace understudy::platform {

/// Owns a file descriptor and closes it.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_ = -1;
};

/// The code for an errno of a file or a directory; disk_failed if there is no code with its own
/// remedy.
[[nodiscard]] Errc file_code(int number);
/// The code, if `number` means a shortage that may pass.
[[nodiscard]] std::optional<Errc> shortage_code(int number);

/// The Error for a system call that set `number`: "open /x/y: Permission denied".
[[nodiscard]] Error system_error(Errc code, std::string_view what, int number,
                                 Effect effect = Effect::none);

}  // namespace understudy::platform
