#include "apps/run/backup_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"

namespace understudy::apps {
namespace {

class BackupFile : public testing::Test {
protected:
    void SetUp() override {
        std::string path = testing::TempDir() + "/backup-XXXXXX";
        ASSERT_NE(::mkdtemp(path.data()), nullptr);
        directory_ = path;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    [[nodiscard]] std::string path() const { return directory_ + "/b"; }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(directory_), {}));
    }

    std::string directory_;
    platform::PosixDisk disk_;
};

const Buffer content = [] {
    const Bytes bytes = as_bytes("what a registry knows");
    return Buffer(bytes.begin(), bytes.end());
}();

TEST_F(BackupFile, EveryFlippedBitIsFound) {
    const Buffer good = encode_backup(content);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        Buffer bad = good;
        bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
        const auto result = decode_backup(bad);
        ASSERT_FALSE(result) << "bit " << bit;
        EXPECT_EQ(result.error().code, Errc::corrupt);
    }
}

TEST_F(BackupFile, EveryOtherLengthIsRefused) {
    Buffer bytes = encode_backup(content);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_backup(Bytes(bytes).first(size))) << size;
    }
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decode_backup(bytes));
}

TEST_F(BackupFile, ThereAndBackAgain) {
    const Buffer file = encode_backup(content);
    const auto result = decode_backup(file);
    ASSERT_TRUE(result);
    EXPECT_EQ(Buffer(result->begin(), result->end()), content);
    EXPECT_TRUE(decode_backup(encode_backup({})));
}

// The example in docs/formats/registry-backup.md.
TEST_F(BackupFile, TheHeaderIsAsDocumented) {
    const Buffer file = encode_backup(as_bytes("123456789"));
    const std::string header(as_text(Bytes(file).first(24)));
    EXPECT_EQ(header, std::string("USREGBAK\x01\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0", 24));
    EXPECT_EQ(as_text(Bytes(file).subspan(24, 4)), "\x83\x92\x06\xe3");
    EXPECT_EQ(as_text(Bytes(file).subspan(backup_header_size)), "123456789");
}

TEST_F(BackupFile, AnExistingFileIsRefusedOrReplacedAsAsked) {
    ASSERT_TRUE(write_backup(disk_, path(), content, Existing::refuse));
    const auto again = write_backup(disk_, path(), {}, Existing::refuse);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::already_exists);
    const auto kept = read_file(path(), 1000);
    ASSERT_TRUE(kept);
    EXPECT_TRUE(decode_backup(*kept));

    ASSERT_TRUE(write_backup(disk_, path(), {}, Existing::replace));
    EXPECT_EQ(read_file(path(), 1000)->size(), backup_header_size);
    EXPECT_EQ(files(), 1U);
}

TEST_F(BackupFile, AFailedWriteLeavesNothingBehind) {
    EXPECT_FALSE(write_backup(disk_, directory_ + "/absent/b", content, Existing::refuse));
    std::filesystem::create_directory(path());
    std::ofstream(path() + "/in the way") << "x";
    EXPECT_FALSE(write_backup(disk_, path(), content, Existing::replace));
    EXPECT_EQ(files(), 1U);
}

TEST_F(BackupFile, AbsentAndTooLargeFilesAreTold) {
    EXPECT_EQ(read_file(path(), 10).error().code, Errc::no_such_file);
    ASSERT_TRUE(write_backup(disk_, path(), content, Existing::refuse));
    EXPECT_EQ(read_file(path(), 10).error().code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace understudy::apps
