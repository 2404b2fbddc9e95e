#pragma once

#include <string>

namespace understudy::power {

/// A separate ext4 file system on a loop device, whose power can be cut.
///
/// cut() has the effect of a power cut on the files. After the next mount, what was synced is
/// there, and any part of the rest is gone; until then every call fails (EXT4_IOC_SHUTDOWN without
/// a flush of its log). Needs root.
class FileSystem {
public:
    /// Creates and mounts it; problem() says why if that was not possible.
    FileSystem(const std::string& image, std::string place, unsigned megabytes);
    ~FileSystem();
    FileSystem(const FileSystem&) = delete;
    FileSystem& operator=(const FileSystem&) = delete;

    /// Empty if it can be used.
    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] const std::string& place() const { return place_; }

    void cut();
    /// The power is back. Requires: no process has a file open on it any more.
    void restore();

private:
    std::string image_;
    std::string place_;
    std::string problem_;
    bool mounted_ = false;
};

}  // namespace understudy::power
