#include "apps/run/backup_file.h"

#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "platform/network/fd.h"

namespace understudy::apps {

namespace {

constexpr std::string_view magic = "USREGBAK";
constexpr std::uint32_t version = 1;

[[nodiscard]] Error bad_backup(std::string_view what) {
    return {.code = Errc::corrupt, .detail = fmt::format("not a good backup: {}", what)};
}

}  // namespace

Buffer encode_backup(Bytes content) {
    US_ASSERT(content.size() <= backup_size_max);
    Buffer file;
    ByteWriter writer(file);
    writer.raw(as_bytes(magic));
    writer.fixed(version);
    writer.fixed(std::uint32_t{0});
    writer.fixed(std::uint64_t{content.size()});
    writer.fixed(crc32c(content));
    writer.fixed(crc32c(file));
    US_ASSERT(file.size() == backup_header_size);
    writer.raw(content);
    return file;
}

Result<Bytes> decode_backup(Bytes file) {
    if (file.size() < backup_header_size) return bad_backup("it ends within its header");
    ByteReader reader(file);
    if (as_text(*reader.raw(magic.size())) != magic)
        return bad_backup("it does not begin like a backup");
    const auto its_version = *reader.fixed<std::uint32_t>();
    const auto reserved = *reader.fixed<std::uint32_t>();
    const auto size = *reader.fixed<std::uint64_t>();
    const auto content_checksum = *reader.fixed<std::uint32_t>();
    const auto header_checksum = *reader.fixed<std::uint32_t>();
    if (crc32c(file.first(backup_header_size - sizeof header_checksum)) != header_checksum) {
        return bad_backup("its header does not match its checksum");
    }
    if (its_version != version || reserved != 0) {
        return bad_backup(
            fmt::format("it is of version {}, this program reads {}", its_version, version));
    }
    if (size > backup_size_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("the backup claims {} bytes; at most {}", size,
                                           backup_size_max)};
    }
    const Bytes content = file.subspan(backup_header_size);
    if (content.size() != size) {
        return bad_backup(
            fmt::format("it has {} bytes of content and claims {}", content.size(), size));
    }
    if (crc32c(content) != content_checksum) {
        return bad_backup("its content does not match its checksum");
    }
    return content;
}

Result<void> write_backup(Disk& disk, const std::string& path, Bytes content, Existing existing) {
    std::error_code ignored;
    if (existing == Existing::refuse && std::filesystem::exists(path, ignored)) {
        return Error{.code = Errc::already_exists, .detail = path + " exists already"};
    }
    const std::string parent = std::filesystem::path(path).parent_path().string();
    const std::string interim = fmt::format("{}.{}.part", path, ::getpid());
    const auto write = [&]() -> Result<void> {
        const auto file = US_TRY(disk.open(interim, Disk::Open::create_new));
        US_CHECK(file->write_at(0, encode_backup(content)));
        US_CHECK(file->sync());
        return disk.rename(interim, path);
    };
    if (auto written = write(); !written) {
        (void)disk.remove(interim);
        Error error = std::move(written).error();
        error.effect = Effect::none;
        return error;
    }
    return disk.sync_directory(parent.empty() ? "." : parent);
}

Result<Buffer> read_file(const std::string& path, std::size_t size_max) {
    const auto failed = [&](int error) {
        std::error_code unknown;
        const auto whole = std::filesystem::absolute(path, unknown);
        return platform::system_error(platform::file_code(error),
                                      "read " + (unknown ? path : whole.string()), error);
    };
    const platform::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) return failed(errno);
    Buffer content;
    std::vector<std::byte> chunk(64 * KiB);
    for (;;) {
        const auto got = ::read(file.get(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed(errno);
        if (got == 0) return content;
        content.insert(content.end(), chunk.begin(), chunk.begin() + got);
        if (content.size() > size_max) {
            return Error{.code = Errc::limit_exceeded,
                         .detail = fmt::format("{} is larger than {} bytes", path, size_max)};
        }
    }
}

}  // namespace understudy::apps
