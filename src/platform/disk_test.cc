#include "platform/disk.h"

#include <filesystem>
#include <fstream>

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/machine/descriptors.h"
#include "platform/machine/limits.h"
#include "platform/machine/memory.h"

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

TEST_F(FullDisk, ANameThatIsTooLongIsABadPath) {
    const std::string name = directory_ + "/" + std::string(300, 'n');
    EXPECT_EQ(disk_.open(name, Disk::Open::create).error().code, Errc::bad_path);
    EXPECT_EQ(disk_.make_directory(name).error().code, Errc::bad_path);
    EXPECT_EQ(disk_.list(name).error().code, Errc::bad_path);
    EXPECT_EQ(disk_.sync_directory(name).error().code, Errc::bad_path);
    EXPECT_EQ(
        disk_.open(directory_ + std::string(5000, '/') + "x", Disk::Open::create).error().code,
        Errc::bad_path);
}

TEST_F(FullDisk, ALinkThatLeadsToItselfIsABadPath) {
    std::filesystem::create_symlink("loop", directory_ + "/loop");
    EXPECT_EQ(disk_.open(directory_ + "/loop", Disk::Open::existing).error().code, Errc::bad_path);
}

TEST_F(FullDisk, AMessageNamesTheWholePath) {
    const std::string here = std::filesystem::current_path();
    std::filesystem::current_path(directory_);
    const auto absent = disk_.open("absent", Disk::Open::existing);
    const auto in_the_way = disk_.open("file", Disk::Open::create);
    const auto blocked = disk_.make_directory("file");
    std::filesystem::current_path(here);
    EXPECT_TRUE(in_the_way);
    EXPECT_EQ(absent.error().detail, "open " + directory_ + "/absent: No such file or directory");
    EXPECT_EQ(blocked.error().detail, "make directory " + directory_ + "/file: Not a directory");
}

TEST_F(FullDisk, AReadOnlyMountPermitsNoWriting) {
    if (!mount_small_disk()) GTEST_SKIP() << "may not mount a small disk";
    ASSERT_TRUE(disk_.open(directory_ + "/there", Disk::Open::create));
    ASSERT_EQ(::mount(nullptr, directory_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    for (const auto how : {Disk::Open::existing, Disk::Open::create}) {
        const auto refused = disk_.open(directory_ + "/there", how);
        EXPECT_EQ(refused.error().code, Errc::not_permitted);
        EXPECT_EQ(refused.error().effect, Effect::none);
    }
    EXPECT_EQ(disk_.make_directory(directory_ + "/new").error().code, Errc::not_permitted);
    EXPECT_EQ(disk_.remove(directory_ + "/there").error().code, Errc::not_permitted);
    EXPECT_EQ(disk_.rename(directory_ + "/there", directory_ + "/x").error().code,
              Errc::not_permitted);
}

TEST_F(FullDisk, WhatBelongsToAnotherUserIsNotPermitted) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    ASSERT_TRUE(disk_.make_directory(directory_ + "/closed"));
    ASSERT_TRUE(disk_.open(directory_ + "/closed/file", Disk::Open::create));
    ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        constexpr uid_t nobody = 65534;
        int wrong = ::setresuid(nobody, nobody, nobody) == 0 ? 0 : 100;
        const auto expect_refused = [&](const auto& result) {
            if (result || result.error().code != Errc::not_permitted) ++wrong;
        };
        expect_refused(disk_.open(directory_ + "/closed/file", Disk::Open::existing));
        expect_refused(disk_.list(directory_ + "/closed"));
        expect_refused(disk_.make_directory(directory_ + "/closed/below"));
        expect_refused(disk_.open(directory_ + "/new", Disk::Open::create));
        expect_refused(disk_.sync_directory(directory_ + "/closed"));
        ::_exit(wrong);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << "so many were not refused as they should";
}

TEST(DescriptorWatch, MostDescriptorsInUseIsSaidOnceAndAgainAfterItHasPassed) {
    class Lines final : public Log {
    public:
        void write(LogLevel, std::string_view event, std::initializer_list<LogField>) override {
            events.emplace_back(event);
        }
        std::vector<std::string> events;
    };
    Lines log;
    DescriptorWatch watch(log);
    const auto at = [limit = descriptor_limit()](std::uint64_t percent) {
        return static_cast<int>(limit * percent / 100);
    };
    watch.saw(at(79) - 1);
    EXPECT_TRUE(log.events.empty());
    for (int i = 0; i < 3; ++i) {
        watch.saw(at(81));
        watch.saw(at(70));
    }
    EXPECT_EQ(log.events.size(), 1U);
    EXPECT_TRUE(watch.high());
    watch.saw(at(50));
    EXPECT_FALSE(watch.high());
    watch.saw(at(99));
    EXPECT_EQ(log.events, (std::vector<std::string>{"process.descriptors", "process.descriptors"}));
}

TEST_F(FullDisk, TheMemoryOfAControlGroupIsWhatCannotBeReclaimed) {
    const auto write = [&](const char* name, const char* text) {
        std::ofstream(directory_ + "/" + name) << text;
    };
    EXPECT_FALSE(group_memory(directory_));
    write("memory.max", "max\n");
    write("memory.stat", "anon 3000\nfile 90000\nshmem 200\nslab 7\n");
    EXPECT_FALSE(group_memory(directory_)) << "no limit";
    write("memory.max", "4096\n");
    const auto use = group_memory(directory_);
    ASSERT_TRUE(use);
    EXPECT_EQ(use->used_bytes, 3200U);
    EXPECT_EQ(use->limit_bytes, 4096U);
}

}  // namespace
}  // namespace understudy::platform
