#pragma once

#include "runtime/disk.h"

namespace understudy::apps {

/// The file system, only for reading: every change is refused.
///
/// A file's lock() checks whether another process holds the lock, and takes nothing.
/// Thread: any; it has no state.
class ReadOnlyDisk final : public Disk {
public:
    [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) override;
    [[nodiscard]] Result<void> make_directory(const std::string& path) override;
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] Result<void> remove(const std::string& path) override;
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& directory) override;
    [[nodiscard]] Result<void> sync_directory(const std::string& path) override;
};

}  // namespace understudy::apps
