#include "journal/format/segment.h"

#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "journal/format/header.h"

namespace understudy::journal {

namespace {

constexpr HeaderForm segment_form{.magic = "usjrnseg", .bytes = segment_header_bytes};
constexpr HeaderForm reserve_form{.magic = "usjrnrsv", .bytes = segment_header_bytes};

/// Another than the segment's: of the two headers, one may be written over the other in part, and
/// the magic of one before the rest of the other must be no header.
std::uint32_t reserve_seed(std::uint64_t generation) {
    return crc32c(as_bytes(reserve_form.magic), checksum_seed(generation));
}

}  // namespace

void encode(const SegmentHeader& header, Buffer& out) {
    Buffer fields;
    ByteWriter body(fields);
    body.fixed(header.generation);
    body.fixed(header.size_bytes);
    body.fixed(header.first.value);
    body.fixed(header.previous);
    body.fixed(static_cast<std::uint8_t>(header.reused ? 1 : 0));
    put_header(segment_form, fields, checksum_seed(header.generation), out);
}

Result<std::optional<SegmentHeader>> decode_segment_header(Bytes bytes, std::uint64_t generation) {
    const std::optional<SegmentHeader> none;
    auto fields = open_header(segment_form, "segment " + segment_name(generation), bytes,
                              checksum_seed(generation));
    if (!fields && fields.error().code == Errc::corrupt) return none;
    ByteReader reader = US_TRY(std::move(fields));
    SegmentHeader header;
    header.generation = *reader.fixed<std::uint64_t>();
    header.size_bytes = *reader.fixed<std::uint64_t>();
    header.first = {*reader.fixed<std::uint64_t>()};
    header.previous = *reader.fixed<std::uint32_t>();
    const auto reused = *reader.fixed<std::uint8_t>();
    header.reused = reused != 0;
    if (!is_reserved(reader)) return none;
    if (header.generation != generation || header.first == Index{} || reused > 1) return none;
    return std::optional(header);
}

void encode(const ReserveHeader& header, Buffer& out) {
    Buffer fields;
    ByteWriter body(fields);
    body.fixed(header.generation);
    body.fixed(header.size_bytes);
    body.fixed(header.durable.value);
    put_header(reserve_form, fields, reserve_seed(header.generation), out);
}

Result<std::optional<ReserveHeader>> decode_reserve_header(Bytes bytes, std::uint64_t generation) {
    const std::optional<ReserveHeader> none;
    auto fields = open_header(reserve_form, "segment " + segment_name(generation), bytes,
                              reserve_seed(generation));
    if (!fields && fields.error().code == Errc::corrupt) return none;
    ByteReader reader = US_TRY(std::move(fields));
    ReserveHeader header;
    header.generation = *reader.fixed<std::uint64_t>();
    header.size_bytes = *reader.fixed<std::uint64_t>();
    header.durable = {*reader.fixed<std::uint64_t>()};
    if (!is_reserved(reader) || header.generation != generation) return none;
    return std::optional(header);
}

std::string hex16(std::uint64_t number) { return fmt::format("{:016x}", number); }

std::optional<std::uint64_t> parse_hex16(std::string_view name, std::string_view expected_suffix) {
    constexpr std::size_t digits = 16;
    if (name.size() != digits + expected_suffix.size()) return std::nullopt;
    if (name.substr(digits) != expected_suffix) return std::nullopt;
    const std::string_view text = name.substr(0, digits);
    if (text.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;

    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number, 16);
    return number;
}

std::string segment_name(std::uint64_t generation) {
    return hex16(generation) + std::string(segment_suffix);
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
    return parse_hex16(name, segment_suffix);
}

}  // namespace understudy::journal
