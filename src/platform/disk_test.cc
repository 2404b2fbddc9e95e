#include "platform/disk.h"

#include <filesystem>

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

namespace understudy::platform {
namespace {

class FullDisk : public testing::Test {
protected:
    FullDisk() {
        std::string name = std::filesystem::temp_directory_path() / "understudy-disk-XXXXXX";
        US_ASSERT(::mkdtemp(name.data()) != nullptr);
        directory_ = name;
    }
    ~FullDisk() override {
        if (mounted_) ::umount(directory_.c_str());
        std::filesystem::remove_all(directory_);
    }

    // False where only root may, and we are not.
    bool mount_small_disk() {
        mounted_ = ::mount("understudy", directory_.c_str(), "tmpfs", 0, "size=64k,mode=0700") == 0;
        return mounted_;
    }

    PosixDisk disk_;
    std::string directory_;
    bool mounted_ = false;
};

TEST_F(FullDisk, AWriteThatFindsNoSpaceSaysWhetherItWroteAnything) {
    if (!mount_small_disk()) GTEST_SKIP() << "may not mount a small disk";
    auto file = disk_.open(directory_ + "/journal", Disk::Open::create_new);
    ASSERT_TRUE(file);

    const Buffer larger(100 * KiB);
    const auto torn = (*file)->write_at(0, larger);
    ASSERT_FALSE(torn);
    EXPECT_EQ(torn.error().code, Errc::no_space);
    EXPECT_EQ(torn.error().effect, Effect::unknown);

    const auto refused = (*file)->write_at(64 * KiB, as_bytes("x"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::no_space);
    EXPECT_EQ(refused.error().effect, Effect::none);
    EXPECT_TRUE((*file)->write_at(0, as_bytes("what has space may be overwritten")));
}

TEST_F(FullDisk, ADeviceThatIsAlwaysFullHasNoSpace) {
    auto file = disk_.open("/dev/full", Disk::Open::existing);
    ASSERT_TRUE(file);

    const auto refused = (*file)->write_at(0, as_bytes("x"));

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::no_space);
    EXPECT_EQ(refused.error().effect, Effect::none);
}

TEST_F(FullDisk, FilesAndDirectoriesAreTheOwnersAlone) {
    ASSERT_TRUE(disk_.make_directory(directory_ + "/a/b"));
    ASSERT_TRUE(disk_.open(directory_ + "/a/b/c", Disk::Open::create));

    struct stat status{};
    ASSERT_EQ(::stat((directory_ + "/a/b/c").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    ASSERT_EQ(::stat((directory_ + "/a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(FullDisk, MakeDirectoryTakesEveryFormOfPath) {
    EXPECT_TRUE(disk_.make_directory(directory_ + "//x//y/"));
    EXPECT_TRUE(std::filesystem::is_directory(directory_ + "/x/y"));
    EXPECT_TRUE(disk_.make_directory("."));
    EXPECT_TRUE(disk_.make_directory("/"));
    EXPECT_FALSE(disk_.make_directory(""));
}

}  // namespace
}  // namespace understudy::platform
