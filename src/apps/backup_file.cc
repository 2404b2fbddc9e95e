#include "apps/backup_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"

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
        return bad_backup("it does not begin like one");
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
        return Error{.code = Errc::already_exists, .detail = path + " is there already"};
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
    std::ifstream stream(path, std::ios::binary);
    if (!stream) {
        const bool absent = errno == ENOENT;
        return Error{.code = absent ? Errc::not_found : Errc::disk_failed,
                     .detail = fmt::format("{}: {}", path, std::strerror(errno))};
    }
    Buffer content;
    std::vector<char> chunk(64 * KiB);
    while (stream) {
        stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
        const auto part = std::as_bytes(std::span(chunk)).first(
            static_cast<std::size_t>(stream.gcount()));
        content.insert(content.end(), part.begin(), part.end());
        if (content.size() > size_max) {
            return Error{.code = Errc::limit_exceeded,
                         .detail = fmt::format("{} is larger than {} bytes", path, size_max)};
        }
    }
    if (stream.bad()) {
        return Error{.code = Errc::disk_failed, .detail = fmt::format("{}: cannot be read", path)};
    }
    return content;
}

}  // namespace understudy::apps
