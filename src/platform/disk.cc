#include "platform/disk.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "platform/machine/descriptors.h"

namespace understudy::platform {

namespace {

/// The reader of a message may be in another directory.
std::string absolute(const std::string& path) {
    std::error_code unknown;
    const auto whole = std::filesystem::absolute(path, unknown);
    return unknown ? path : whole.lexically_normal().string();
}

Error failure(std::string_view call, const std::string& path, Effect effect = Effect::none) {
    const int error = errno;
    return system_error(file_code(error), std::string(call) + " " + absolute(path), error, effect);
}

DescriptorReserve& reserve() { return DescriptorReserve::of_this_process(); }

template <class Call>
auto retry_interrupted(Call call) {
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR) return result;
    }
}

/// True if `path` names the file that is open as `fd`.
Result<bool> names_file(const std::string& path, const Fd& fd, const std::string& opened_as) {
    struct stat there{};
    if (::stat(path.c_str(), &there) != 0) {
        // NFS reports ESTALE for a file that another machine has removed.
        if (errno == ENOENT || errno == ENOTDIR || errno == ESTALE) return false;
        return failure("stat", path);
    }
    struct stat held{};
    if (::fstat(fd.get(), &held) != 0) {
        if (errno == ESTALE) return false;
        return failure("fstat", opened_as);
    }
    return held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

class PosixFile final : public File {
public:
    PosixFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    ~PosixFile() override { reserve().give_back(std::move(fd_)); }
    PosixFile(const PosixFile&) = delete;
    PosixFile& operator=(const PosixFile&) = delete;

    Result<std::uint64_t> size() override {
        struct stat status{};
        if (::fstat(fd_.get(), &status) != 0) return failure("fstat", path_);
        return static_cast<std::uint64_t>(status.st_size);
    }

    Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
        while (!out.empty()) {
            const auto got = retry_interrupted([&] {
                return ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
            });
            if (got < 0) return failure("read", path_);
            if (got == 0) {
                return Error{.code = Errc::corrupt,
                             .detail = path_ + " ends at byte " + std::to_string(offset)};
            }
            out = out.subspan(static_cast<std::size_t>(got));
            offset += static_cast<std::uint64_t>(got);
        }
        return {};
    }

    Result<void> write_at(std::uint64_t offset, Bytes data) override {
        Effect effect = Effect::none;  // None until the first bytes are written.
        while (!data.empty()) {
            const auto put = retry_interrupted([&] {
                return ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
            });
            if (put < 0) {
                const bool full = file_code(errno) == Errc::no_space;
                return failure("write", path_, full ? effect : Effect::unknown);
            }
            effect = Effect::unknown;
            data = data.subspan(static_cast<std::size_t>(put));
            offset += static_cast<std::uint64_t>(put);
        }
        return {};
    }

    Result<void> truncate(std::uint64_t size) override {
        const auto done =
            retry_interrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); });
        if (done != 0) return failure("truncate", path_, Effect::unknown);
        return {};
    }

    // For any errno, what was written is in doubt. ENOSPC too can come here, from file systems that
    // allocate late.
    Result<void> sync() override {
        if (::fdatasync(fd_.get()) != 0) {
            const int error = errno;
            return system_error(Errc::disk_failed, "sync " + absolute(path_), error,
                                Effect::unknown);
        }
        return {};
    }

    Result<void> lock() override {
        struct flock whole_file{};
        whole_file.l_type = F_WRLCK;
        whole_file.l_whence = SEEK_SET;
        if (::fcntl(fd_.get(), F_OFD_SETLK, &whole_file) == 0) return {};
        if (errno != EAGAIN && errno != EACCES) return failure("lock", path_);
        return Error{.code = Errc::in_use, .detail = path_ + " is locked by another process"};
    }

    Result<bool> is_at(const std::string& path) override { return names_file(path, fd_, path_); }

private:
    Fd fd_;
    const std::string path_;
};

/// A directory that is held open.
class PosixDirectory final : public File {
public:
    PosixDirectory(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    ~PosixDirectory() override { reserve().give_back(std::move(fd_)); }
    PosixDirectory(const PosixDirectory&) = delete;
    PosixDirectory& operator=(const PosixDirectory&) = delete;

    Result<std::uint64_t> size() override { return no_file(); }
    Result<void> read_at(std::uint64_t, std::span<std::byte>) override { return no_file(); }
    Result<void> write_at(std::uint64_t, Bytes) override { return no_file(); }
    Result<void> truncate(std::uint64_t) override { return no_file(); }
    Result<void> sync() override {
        if (::fsync(fd_.get()) == 0) return {};
        return system_error(Errc::disk_failed, "sync " + path_, errno, Effect::unknown);
    }

    Result<void> lock() override {
        if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return {};
        if (errno == EWOULDBLOCK) {
            return Error{.code = Errc::in_use, .detail = path_ + " is locked by another process"};
        }
        // NFS implements it as a byte lock, which needs a file that is open for writing.
        return system_error(Errc::refused, "lock " + path_, errno);
    }

    Result<bool> is_at(const std::string& path) override { return names_file(path, fd_, path_); }

private:
    [[nodiscard]] Error no_file() const {
        return {.code = Errc::refused, .detail = path_ + " is a directory"};
    }

    Fd fd_;
    const std::string path_;
};

int flags_of(Disk::Open how) {
    switch (how) {
        case Disk::Open::existing: return 0;
        case Disk::Open::create: return O_CREAT;
        case Disk::Open::create_new: return O_CREAT | O_EXCL;
        case Disk::Open::directory: break;
    }
    US_ASSERT(false);
    return 0;
}

int open_directory(const std::string& path) {
    return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

}  // namespace

Result<std::unique_ptr<File>> PosixDisk::open(const std::string& path, Open how) {
    if (how == Open::directory) {
        Fd fd = reserve().open([&] { return open_directory(path); });
        if (!fd) return failure("open", path);
        return std::make_unique<PosixDirectory>(std::move(fd), path);
    }
    const int flags = O_RDWR | O_CLOEXEC | flags_of(how);
    Fd fd = reserve().open(
        [&] { return retry_interrupted([&] { return ::open(path.c_str(), flags, 0600); }); });
    if (!fd) return failure("open", path);
    return std::make_unique<PosixFile>(std::move(fd), path);
}

Result<std::vector<std::string>> PosixDisk::list(const std::string& directory) {
    Fd fd = reserve().open([&] { return open_directory(directory); });
    if (!fd) return failure("list", directory);
    const auto close = [](DIR* listed) {
        (void)::closedir(listed);
        (void)reserve().fill();
    };
    const std::unique_ptr<DIR, decltype(close)> open(::fdopendir(fd.get()), close);
    if (!open) return failure("list", directory);
    (void)fd.release();
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(open.get());  // NOLINT: each thread has its own stream.
        if (entry == nullptr) break;
        std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(std::move(name));
    }
    if (errno != 0) return failure("list", directory);
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> PosixDisk::make_directory(const std::string& path) {
    for (std::size_t end = 0; end != std::string::npos;) {
        end = path.find('/', end + 1);
        const std::string part = path.substr(0, end);
        if (::mkdir(part.c_str(), 0700) == 0) continue;
        // An existing parent that cannot be read or written is no obstacle; the last part decides.
        const int error = errno;
        struct stat status{};
        const bool there = ::stat(part.c_str(), &status) == 0;
        if (there && S_ISDIR(status.st_mode)) continue;
        return system_error(there ? Errc::bad_path : file_code(error),
                            "make directory " + absolute(part), there ? ENOTDIR : error);
    }
    return {};
}

Result<void> PosixDisk::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
        const int error = errno;
        const Errc code = file_code(error);
        return system_error(code, "rename " + absolute(from) + " to " + absolute(to), error,
                            code == Errc::disk_failed ? Effect::unknown : Effect::none);
    }
    return {};
}

Result<void> PosixDisk::remove(const std::string& path) {
    if (std::remove(path.c_str()) != 0) return failure("remove", path);
    return {};
}

Result<std::uint64_t> PosixDisk::free_bytes(const std::string& directory) {
    struct statvfs status{};
    if (::statvfs(directory.c_str(), &status) != 0) return failure("statvfs", directory);
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<void> PosixDisk::sync_directory(const std::string& path) {
    Fd fd = reserve().open([&] { return open_directory(path); });
    if (!fd) return failure("open", path);
    Result<void> synced;
    if (::fsync(fd.get()) != 0) {
        const int error = errno;
        synced = system_error(Errc::disk_failed, "sync " + absolute(path), error, Effect::unknown);
    }
    reserve().give_back(std::move(fd));
    return synced;
}

}  // namespace understudy::platform
