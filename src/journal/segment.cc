#include "journal/segment.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"

namespace understudy::journal {

namespace {

constexpr std::string_view magic = "usjrnseg";
constexpr std::string_view suffix = ".seg";
constexpr std::size_t covered_from = magic.size() + 4;  // Behind magic and checksum.

}  // namespace

void encode(const SegmentHeader& header, Buffer& out) {
    Buffer covered;
    ByteWriter body(covered);
    body.fixed(format_version);
    body.fixed(header.generation);
    body.fixed(header.size_bytes);
    body.fixed(header.first.value);
    body.fixed(header.previous);
    body.fixed(static_cast<std::uint8_t>(header.reused ? 1 : 0));
    covered.resize(segment_header_bytes - covered_from);

    ByteWriter writer(out);
    writer.raw(as_bytes(magic));
    writer.fixed(crc32c(covered, checksum_seed(header.generation)));
    writer.raw(covered);
}

Result<std::optional<SegmentHeader>> decode_segment_header(Bytes bytes, std::uint64_t generation) {
    const std::optional<SegmentHeader> none;
    if (bytes.size() < segment_header_bytes) return none;
    const Bytes raw = bytes.first(segment_header_bytes);
    if (as_text(raw.first(magic.size())) != magic) return none;

    ByteReader reader(raw.subspan(magic.size()));
    const auto checksum = reader.fixed<std::uint32_t>();
    if (crc32c(raw.subspan(covered_from), checksum_seed(generation)) != *checksum) return none;

    const auto version = reader.fixed<std::uint32_t>();
    if (*version != format_version) {
        return Error{
            .code = Errc::bad_config,
            .detail = fmt::format("segment {} has format version {}, this program reads {}",
                                  segment_name(generation), *version, format_version)};
    }
    SegmentHeader header;
    header.generation = *reader.fixed<std::uint64_t>();
    header.size_bytes = *reader.fixed<std::uint64_t>();
    header.first = {*reader.fixed<std::uint64_t>()};
    header.previous = *reader.fixed<std::uint32_t>();
    const auto reused = *reader.fixed<std::uint8_t>();
    header.reused = reused != 0;
    const Bytes reserved = reader.rest();
    if (std::any_of(reserved.begin(), reserved.end(),
                    [](std::byte b) { return b != std::byte{}; })) {
        return none;
    }
    if (header.generation != generation || header.first == Index{} || reused > 1) return none;
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
    return hex16(generation) + std::string(suffix);
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
    return parse_hex16(name, suffix);
}

}  // namespace understudy::journal
