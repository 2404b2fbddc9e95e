#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "understudy/types.h"

namespace understudy {

// What each call may return besides what it says: no_descriptors or no_memory (none: nothing was
// done, and it may pass), bad_path, not_permitted, no_such_file (none), disk_failed.

/// One open file. Destroying it closes it and releases its lock.
class File {
public:
    virtual ~File() = default;

    [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
    /// Reads exactly out.size() bytes. Errors: corrupt if the file ends before; disk_failed.
    [[nodiscard]] virtual Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) = 0;
    /// Errors: no_space, disk_failed (unknown: any part of it may have been written).
    [[nodiscard]] virtual Result<void> write_at(std::uint64_t offset, Bytes data) = 0;
    [[nodiscard]] virtual Result<void> truncate(std::uint64_t size) = 0;
    /// What was written before is on the platter after it (fdatasync).
    /// Errors: disk_failed (unknown). Never retry: the kernel may have dropped the pages.
    [[nodiscard]] virtual Result<void> sync() = 0;
    /// Takes the file's exclusive lock (F_OFD_SETLK; flock() for a directory) without waiting.
    /// Errors: in_use (none); refused (none): a directory, and its file system has no such locks.
    [[nodiscard]] virtual Result<void> lock() = 0;
    /// Does `path` name this very file, now? No, if it names another one or nothing.
    /// Errors: disk_failed (none): it cannot be told.
    [[nodiscard]] virtual Result<bool> is_at(const std::string& path) = 0;
};

/// A file system.
///
/// Blocking: only inside a Worker's job, or before the loop runs.
/// Thread: any; a File belongs to one thread at a time.
class Disk {
public:
    enum class Open {
        existing,       ///< Read and write; no_such_file if absent.
        create,         ///< Read and write; made empty if absent.
        create_new,     ///< already_exists if present (O_EXCL).
        directory,      ///< One that exists; only lock(), is_at() and sync() are for it.
    };

    virtual ~Disk() = default;

    [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path, Open how) = 0;
    /// Names in the directory, sorted, without "." and "..". Errors: no_such_file; bad_path for a
    /// file.
    [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
    /// Makes the directory and its parents; no error if it is there. Mode 0700.
    /// Errors: bad_path if a file is in the way.
    [[nodiscard]] virtual Result<void> make_directory(const std::string& path) = 0;
    [[nodiscard]] virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    [[nodiscard]] virtual Result<void> remove(const std::string& path) = 0;
    /// How much may still be written to the file system of the directory. Errors: no_such_file,
    /// disk_failed.
    [[nodiscard]] virtual Result<std::uint64_t> free_bytes(const std::string& directory) = 0;
    /// Makes creations, renames and removals in the directory durable.
    [[nodiscard]] virtual Result<void> sync_directory(const std::string& path) = 0;
};

}  // namespace understudy
