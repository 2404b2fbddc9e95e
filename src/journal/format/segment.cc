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

/// The seed of a reserve's header differs from that of a segment's. A torn write may leave the
/// magic of one header before the rest of the other; that must be no valid header.
std::uint32_t header_seed(const HeaderForm& form, std::uint64_t generation) {
    const std::uint32_t seed = checksum_seed(generation);
    return &form == &reserve_form ? crc32c(as_bytes(form.magic), seed) : seed;
}

/// The fields of both headers. The last two are reserved in that of a reserve.
struct HeaderFields {
    std::uint64_t generation = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t index = 0;
    std::uint32_t previous = 0;
    std::uint8_t reused = 0;
};

void put_fields(const HeaderForm& form, const HeaderFields& header, Buffer& out) {
    Buffer fields;
    ByteWriter body(fields);
    body.fixed(header.generation);
    body.fixed(header.size_bytes);
    body.fixed(header.index);
    body.fixed(header.previous);
    body.fixed(header.reused);
    put_header(form, fields, header_seed(form, header.generation), out);
}

Result<std::optional<HeaderFields>> open_fields(const HeaderForm& form, Bytes bytes,
                                                std::uint64_t generation) {
    const std::optional<HeaderFields> none;
    auto opened = open_header(form, "segment " + segment_name(generation), bytes,
                              header_seed(form, generation));
    if (!opened && opened.error().code == Errc::corrupt) return none;
    ByteReader reader = US_TRY(std::move(opened));
    HeaderFields header;
    header.generation = *reader.fixed<std::uint64_t>();
    header.size_bytes = *reader.fixed<std::uint64_t>();
    header.index = *reader.fixed<std::uint64_t>();
    header.previous = *reader.fixed<std::uint32_t>();
    header.reused = *reader.fixed<std::uint8_t>();
    if (!is_reserved(reader) || header.generation != generation) return none;
    return std::optional(header);
}

}  // namespace

void encode(const SegmentHeader& header, Buffer& out) {
    put_fields(segment_form,
               {.generation = header.generation,
                .size_bytes = header.size_bytes,
                .index = header.first.value,
                .previous = header.previous,
                .reused = static_cast<std::uint8_t>(header.reused ? 1 : 0)},
               out);
}

Result<std::optional<SegmentHeader>> decode_segment_header(Bytes bytes, std::uint64_t generation) {
    const auto fields = US_TRY(open_fields(segment_form, bytes, generation));
    std::optional<SegmentHeader> header;
    if (!fields || fields->index == 0 || fields->reused > 1) return header;
    header = SegmentHeader{.generation = generation,
                           .size_bytes = fields->size_bytes,
                           .first = {fields->index},
                           .previous = fields->previous,
                           .reused = fields->reused != 0};
    return header;
}

void encode(const ReserveHeader& header, Buffer& out) {
    put_fields(reserve_form,
               {.generation = header.generation,
                .size_bytes = header.size_bytes,
                .index = header.durable.value},
               out);
}

Result<std::optional<ReserveHeader>> decode_reserve_header(Bytes bytes, std::uint64_t generation) {
    const auto fields = US_TRY(open_fields(reserve_form, bytes, generation));
    std::optional<ReserveHeader> header;
    if (!fields || fields->previous != 0 || fields->reused != 0) return header;
    header = ReserveHeader{
        .generation = generation, .size_bytes = fields->size_bytes, .durable = {fields->index}};
    return header;
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
