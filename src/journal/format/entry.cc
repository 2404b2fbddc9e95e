#include "journal/format/entry.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/checksum.h"

namespace understudy::journal {

namespace {

// Offsets of the header's fields; docs/formats/journal.md, section "Entries".
constexpr std::size_t at_checksum = 0;
constexpr std::size_t at_previous = 4;
constexpr std::size_t at_body_checksum = 8;
constexpr std::size_t at_length = 12;
constexpr std::size_t at_index = 16;
constexpr std::size_t at_epoch = 24;
constexpr std::size_t at_behind = 32;
constexpr std::size_t at_type = 36;
constexpr std::size_t at_zero = 37;
static_assert(at_zero + 3 == entry_header_bytes);
static_assert(entry_header_bytes % entry_alignment == 0);

template <std::unsigned_integral Number>
void put(std::byte* header, std::size_t offset, Number value) {
    std::memcpy(header + offset, &value, sizeof value);
}

template <std::unsigned_integral Number>
Number take(Bytes header, std::size_t offset) {
    Number value;
    std::memcpy(&value, header.data() + offset, sizeof value);
    return value;
}

bool is_zero(Bytes bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

bool is_type(std::uint8_t number) {
    return number >= static_cast<std::uint8_t>(EntryType::tenure) &&
           number <= static_cast<std::uint8_t>(EntryType::commands);
}

}  // namespace

std::uint32_t checksum_seed(std::uint64_t generation) {
    std::array<std::byte, sizeof generation> raw;
    std::memcpy(raw.data(), &generation, sizeof generation);
    return crc32c(raw);
}

std::size_t EntryHeader::encoded_bytes() const { return journal::encoded_bytes(body_bytes); }

std::uint32_t encode(const Entry& entry, const Link& link, std::uint32_t seed, Buffer& out) {
    US_ASSERT(entry.body.size() <= body_bytes_max);
    US_ASSERT(out.size() % entry_alignment == 0);
    US_ASSERT(link.synced < entry.index);
    US_ASSERT(entry.index.value - link.synced.value <= UINT32_MAX);
    US_ASSERT(has_body(entry.type) || entry.body.empty());

    const std::size_t start = out.size();
    out.resize(start + entry_header_bytes);
    std::byte* header = out.data() + start;
    put(header, at_previous, link.previous);
    put(header, at_body_checksum, crc32c(entry.body, seed));
    put(header, at_length, static_cast<std::uint32_t>(entry.body.size()));
    put(header, at_index, entry.index.value);
    put(header, at_epoch, entry.epoch.value);
    put(header, at_behind, static_cast<std::uint32_t>(entry.index.value - link.synced.value));
    put(header, at_type, static_cast<std::uint8_t>(entry.type));
    const Bytes covered(header + at_previous, entry_header_bytes - at_previous);
    const std::uint32_t checksum = crc32c(covered, seed);
    put(header, at_checksum, checksum);

    out.insert(out.end(), entry.body.begin(), entry.body.end());
    out.resize(start + encoded_bytes(entry.body.size()));  // Padding.
    return checksum;
}

std::optional<EntryHeader> decode_header(Bytes bytes, std::uint32_t seed) {
    if (bytes.size() < entry_header_bytes) return std::nullopt;
    const Bytes raw = bytes.first(entry_header_bytes);

    // The cheap checks come first: a search calls this at every eighth byte.
    const auto type = take<std::uint8_t>(raw, at_type);
    if (!is_type(type) || !is_zero(raw.subspan(at_zero))) return std::nullopt;
    const auto checksum = take<std::uint32_t>(raw, at_checksum);
    if (crc32c(raw.subspan(at_previous), seed) != checksum) return std::nullopt;

    const auto index = take<std::uint64_t>(raw, at_index);
    const auto behind = take<std::uint32_t>(raw, at_behind);
    if (behind == 0 || behind > index) return std::nullopt;
    const EntryHeader header{
        .index = {index},
        .epoch = {take<std::uint64_t>(raw, at_epoch)},
        .type = static_cast<EntryType>(type),
        .link = {.previous = take<std::uint32_t>(raw, at_previous), .synced = {index - behind}},
        .body_bytes = take<std::uint32_t>(raw, at_length),
        .body_checksum = take<std::uint32_t>(raw, at_body_checksum),
        .checksum = checksum};
    if (header.epoch == Epoch{}) return std::nullopt;
    if (header.body_bytes > body_bytes_max) return std::nullopt;
    if (!has_body(header.type) && header.body_bytes != 0) return std::nullopt;
    return header;
}

std::optional<DecodedEntry> decode(Bytes bytes, std::uint32_t seed) {
    const auto header = decode_header(bytes, seed);
    if (!header || header->encoded_bytes() > bytes.size()) return std::nullopt;

    const std::size_t bare = entry_header_bytes + header->body_bytes;
    if (!is_zero(bytes.subspan(bare, header->encoded_bytes() - bare))) return std::nullopt;
    const Bytes body = bytes.subspan(entry_header_bytes, header->body_bytes);
    if (crc32c(body, seed) != header->body_checksum) return std::nullopt;
    return DecodedEntry{.header = *header, .body = body};
}

}  // namespace understudy::journal
