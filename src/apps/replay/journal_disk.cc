#include "apps/replay/journal_disk.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/disk.h"
#include "platform/network/fd.h"

namespace understudy::apps {

namespace {

[[nodiscard]] Error path_failure(std::string_view call, const std::string& path) {
    const int error = errno;
    return platform::system_error(platform::file_code(error), std::string(call) + " " + path,
                                  error);
}

[[nodiscard]] Error refused(const std::string& path) {
    return {.code = Errc::not_permitted, .detail = path + " was opened only for reading"};
}

class ReadOnlyFile final : public File {
public:
    ReadOnlyFile(platform::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    Result<std::uint64_t> size() override {
        struct stat status{};
        if (::fstat(fd_.get(), &status) != 0) return path_failure("fstat", path_);
        return static_cast<std::uint64_t>(status.st_size);
    }

    Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
        while (!out.empty()) {
            const auto got =
                ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return path_failure("read", path_);
            if (got == 0) {
                return Error{.code = Errc::corrupt,
                             .detail = path_ + " ends at byte " + std::to_string(offset)};
            }
            out = out.subspan(static_cast<std::size_t>(got));
            offset += static_cast<std::uint64_t>(got);
        }
        return {};
    }

    Result<void> write_at(std::uint64_t, Bytes) override { return refused(path_); }
    Result<void> truncate(std::uint64_t) override { return refused(path_); }
    Result<void> sync() override { return refused(path_); }

    Result<void> lock() override {
        struct flock whole_file{};
        whole_file.l_type = F_WRLCK;
        whole_file.l_whence = SEEK_SET;
        if (::fcntl(fd_.get(), F_OFD_GETLK, &whole_file) != 0) return path_failure("lock", path_);
        if (whole_file.l_type == F_UNLCK) return {};
        return Error{.code = Errc::in_use, .detail = path_ + " is locked by another process"};
    }

    Result<bool> is_at(const std::string&) override { return refused(path_); }

private:
    const platform::Fd fd_;
    const std::string path_;
};

}  // namespace

Result<std::unique_ptr<File>> ReadOnlyDisk::open(const std::string& path, Open how) {
    if (how != Open::existing) return refused(path);
    // The path may name anything; a pipe without a writer would block.
    platform::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd) return path_failure("open", path);
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) return path_failure("fstat", path);
    if (!S_ISREG(status.st_mode)) {
        return Error{.code = Errc::bad_config, .detail = path + " is not a regular file"};
    }
    return std::make_unique<ReadOnlyFile>(std::move(fd), path);
}

Result<std::vector<std::string>> ReadOnlyDisk::list(const std::string& directory) {
    return platform::PosixDisk().list(directory);
}

Result<void> ReadOnlyDisk::make_directory(const std::string& path) { return refused(path); }
Result<void> ReadOnlyDisk::rename(const std::string& from, const std::string&) {
    return refused(from);
}
Result<void> ReadOnlyDisk::remove(const std::string& path) { return refused(path); }
Result<std::uint64_t> ReadOnlyDisk::free_bytes(const std::string& directory) {
    return platform::PosixDisk().free_bytes(directory);
}
Result<void> ReadOnlyDisk::sync_directory(const std::string& path) { return refused(path); }

}  // namespace understudy::apps
