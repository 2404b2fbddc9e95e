#include "tests/power/file_system.h"

#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/process/process.h"

namespace understudy::power {

using process::Broken;
using process::Descriptor;

namespace {

// The definitions of ext4; Linux does not export them in a header.
constexpr unsigned long ext4_shutdown = _IOR('X', 125, std::uint32_t);
constexpr std::uint32_t without_log_flush = 2;

[[nodiscard]] std::string run(std::vector<std::string> arguments) {
    try {
        const auto finished = process::run({.arguments = std::move(arguments)});
        return finished.ending.code == 0 ? std::string() : finished.errors + " ";
    } catch (const Broken& broken) {
        return broken.what();
    }
}

}  // namespace

FileSystem::FileSystem(const std::string& image, std::string place, unsigned megabytes)
    : image_(image), place_(std::move(place)) {
    if (::geteuid() != 0) {
        problem_ = "needs root to mount a file system";
        return;
    }
    if (::access("/dev/loop-control", R_OK | W_OK) != 0) {
        problem_ = "there are no loop devices here";
        return;
    }
    const Descriptor file(::open(image_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.valid() || ::ftruncate(file.get(), off_t{megabytes} << 20) != 0 ||
        ::mkdir(place_.c_str(), 0700) != 0) {
        problem_ = std::strerror(errno);
        return;
    }
    problem_ = run({"/sbin/mkfs.ext4", "-q", "-F", image_});
    if (problem_.empty()) problem_ = run({"/bin/mount", "-o", "loop", image_, place_});
    mounted_ = problem_.empty();
}

FileSystem::~FileSystem() {
    if (mounted_) (void)run({"/bin/umount", place_});
}

void FileSystem::cut() {
    const Descriptor root(::open(place_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::uint32_t how = without_log_flush;
    if (::ioctl(root.get(), ext4_shutdown, &how) != 0) {
        throw Broken("the file system cannot be cut off: " + std::string(std::strerror(errno)));
    }
}

void FileSystem::restore() {
    if (const std::string trouble = run({"/bin/umount", place_}); !trouble.empty()) {
        throw Broken("umount: " + trouble);
    }
    mounted_ = false;
    if (const std::string trouble = run({"/bin/mount", "-o", "loop", image_, place_});
        !trouble.empty()) {
        throw Broken("mount: " + trouble);
    }
    mounted_ = true;
}

}  // namespace understudy::power
