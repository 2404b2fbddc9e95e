#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "understudy/types.h"

namespace understudy {

// Each call may also return: no_descriptors or no_memory (none; a later call may succeed),
// bad_path, not_permitted, no_such_file (none), disk_failed.

/// One open file. The destructor closes it and releases its lock.
class File {
public:
    virtual ~File() = default;

    [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
    /// Reads exactly out.size() bytes. Errors: corrupt: the file is shorter; disk_failed.
    [[nodiscard]] virtual Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) = 0;
    /// Errors: no_space, disk_failed (unknown: any part of it may have been written).
    [[nodiscard]] virtual Result<void> write_at(std::uint64_t offset, Bytes data) = 0;
    [[nodiscard]] virtual Result<void> truncate(std::uint64_t size) = 0;
    /// Makes durable what was written before (fdatasync).
    /// Errors: disk_failed (unknown). Never repeat it: the kernel may have dropped the pages.
    [[nodiscard]] virtual Result<void> sync() = 0;
    /// Takes the file's exclusive lock (F_OFD_SETLK; flock() for a directory) without waiting.
    /// Errors: in_use (none); refused (none): the file system has no locks of directories.
    [[nodiscard]] virtual Result<void> lock() = 0;
    /// Whether `path` names this file now. False if it names another one, or none.
    /// Errors: disk_failed (none): that is not known.
    [[nodiscard]] virtual Result<bool> is_at(const std::string& path) = 0;
};

/// A file system.
///
/// All calls block: only for a Worker's job, or before the loop runs.
/// Thread: any. A File is used by one thread at a time.
class Disk {
public:
    enum class Open {
        existing,    ///< Read and write; no_such_file if absent.
        create,      ///< Read and write. It is created, empty, if absent.
        create_new,  ///< already_exists if present (O_EXCL).
        directory,   ///< A directory that exists. Only lock(), is_at() and sync() may be called.
    };

    virtual ~Disk() = default;

    [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path, Open how) = 0;
    /// Names in the directory, sorted, without "." and "..". Errors: no_such_file; bad_path for a
    /// file.
    [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
    /// Creates the directory and its parents, with mode 0700. No error if it exists.
    /// Errors: bad_path: there is a file of that name.
    [[nodiscard]] virtual Result<void> make_directory(const std::string& path) = 0;
    [[nodiscard]] virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    [[nodiscard]] virtual Result<void> remove(const std::string& path) = 0;
    /// The free space of the directory's file system. Errors: no_such_file, disk_failed.
    [[nodiscard]] virtual Result<std::uint64_t> free_bytes(const std::string& directory) = 0;
    /// Makes durable which names are in the directory.
    [[nodiscard]] virtual Result<void> sync_directory(const std::string& path) = 0;
};

}  // namespace understudy
