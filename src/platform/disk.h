#pragma once

#include "runtime/disk.h"

namespace understudy::platform {

/// The file system of the kernel. Files are created with mode 0600 and closed on exec. If no other
/// descriptor is left, files use the reserve of the process (descriptors.h).
///
/// Thread: any; it has no state.
class PosixDisk final : public Disk {
public:
    [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
    [[nodiscard]] Result<std::vector<std::string>> list(const std::string& directory) override;
    [[nodiscard]] Result<void> make_directory(const std::string& path) override;
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] Result<void> remove(const std::string& path) override;
    [[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& directory) override;
    [[nodiscard]] Result<void> sync_directory(const std::string& path) override;
};

}  // namespace understudy::platform
