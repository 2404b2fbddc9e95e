#include "journal/format/header.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/checksum.h"
#include "journal/format/segment.h"

namespace understudy::journal {

namespace {

constexpr std::size_t magic_bytes = 8;
constexpr std::size_t covered_from = magic_bytes + 4;  // After magic and checksum.

Error none(std::string_view what, std::string_view why) {
    return {.code = Errc::corrupt, .detail = fmt::format("{}: {}", what, why)};
}

}  // namespace

void put_header(const HeaderForm& form, Bytes fields, std::uint32_t seed, Buffer& out) {
    US_ASSERT(form.magic.size() == magic_bytes);
    Buffer covered;
    ByteWriter body(covered);
    body.fixed(format_version);
    body.raw(fields);
    US_ASSERT(covered.size() <= form.bytes - covered_from);
    covered.resize(form.bytes - covered_from);

    ByteWriter writer(out);
    writer.raw(as_bytes(form.magic));
    writer.fixed(crc32c(covered, seed));
    writer.raw(covered);
}

Result<ByteReader> open_header(const HeaderForm& form, std::string_view what, Bytes bytes,
                                 std::uint32_t seed) {
    if (bytes.size() < form.bytes) return none(what, "shorter than its header");
    const Bytes raw = bytes.first(form.bytes);
    if (as_text(raw.first(magic_bytes)) != form.magic) return none(what, "wrong magic");

    ByteReader reader(raw.subspan(magic_bytes));
    if (crc32c(raw.subspan(covered_from), seed) != *reader.fixed<std::uint32_t>()) {
        return none(what, "checksum of the header");
    }
    const auto version = *reader.fixed<std::uint32_t>();
    if (version != format_version) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("{} has format version {}, this program reads {}", what,
                                           version, format_version)};
    }
    return reader;
}

bool is_reserved(const ByteReader& rest) {
    const Bytes bytes = rest.rest();
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{}; });
}

}  // namespace understudy::journal
