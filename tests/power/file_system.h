#pragma once

#include <string>

namespace understudy::power {

/// An ext4 file system of its own on a loop device, and a plug that can be pulled.
///
/// cut() is what a power cut is to the files: what was synced is there when the file system is
/// mounted again, of the rest any part is gone, and until then every call fails (EXT4_IOC_SHUTDOWN
/// without a flush of its log). Needs root.
class FileSystem {
public:
    /// Makes and mounts it; problem() says why that was not possible.
    FileSystem(const std::string& image, std::string place, unsigned megabytes);
    ~FileSystem();
    FileSystem(const FileSystem&) = delete;
    FileSystem& operator=(const FileSystem&) = delete;

    /// Empty if it can be used.
    [[nodiscard]] const std::string& problem() const { return problem_; }
    [[nodiscard]] const std::string& place() const { return place_; }

    void cut();
    /// Power is back. Requires: nobody has a file open on it any more.
    void restore();

private:
    std::string image_;
    std::string place_;
    std::string problem_;
    bool mounted_ = false;
};

}  // namespace understudy::power
