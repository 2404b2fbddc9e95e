#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/types.h"

namespace understudy::journal {

/// What an entry is for. The numbers are file format: never reuse, never renumber.
enum class EntryType : std::uint8_t {
    tenure = 1,    ///< The first entry of an epoch. No body.
    command = 2,   ///< For the state machine.
    mark = 3,      ///< Only says that the entries before it are durable. No body.
    commands = 4,  ///< Several commands, and session items: docs/formats/session.md.
};

[[nodiscard]] constexpr bool has_body(EntryType type) {
    return type == EntryType::command || type == EntryType::commands;
}

/// Where a body lies on the disk.
struct Place {
    std::uint64_t generation = 0;  ///< Of the segment.
    std::uint64_t offset = 0;      ///< In it.
    friend bool operator==(const Place&, const Place&) = default;
};

/// One entry of a journal. `body` lives as long as the call that passes it.
struct Entry {
    Index index;
    Epoch epoch;
    EntryType type = EntryType::command;
    Bytes body;
    Place place{};  ///< Of the body, if the journal has its own files.
};

/// Connects an entry with the entries before it.
struct Link {
    std::uint32_t previous = 0;  ///< Checksum of the entry before; 0 before the first.
    Index synced;  ///< The entry that was known to be durable when this one was written.
    friend bool operator==(const Link&, const Link&) = default;
};

/// An entry without its body.
struct EntryHeader {
    Index index;
    Epoch epoch;
    EntryType type = EntryType::command;
    Link link;
    std::uint32_t body_bytes = 0;
    std::uint32_t body_checksum = 0;
    std::uint32_t checksum = 0;  ///< Of the rest of the header; the next entry's Link::previous.

    [[nodiscard]] std::size_t encoded_bytes() const;  ///< Header, body and padding.
};

struct DecodedEntry {
    EntryHeader header;
    Bytes body;
};

/// Size of a header on disk. An entry with an empty body is not longer.
inline constexpr std::size_t entry_header_bytes = 40;

/// Entries begin at multiples of this, and are padded with zeros up to the next multiple.
inline constexpr std::size_t entry_alignment = 8;

/// The maximum length of a body, whatever the size of a segment.
inline constexpr std::uint64_t body_bytes_max = 16 * MiB;

/// The size on disk of an entry with a body of `body_bytes`.
[[nodiscard]] constexpr std::uint64_t encoded_bytes(std::uint64_t body_bytes) {
    const std::uint64_t bare = entry_header_bytes + body_bytes;
    return (bare + entry_alignment - 1) / entry_alignment * entry_alignment;
}

/// The start value of the checksums of a segment's entries.
///
/// It differs between segments, so that bytes that were valid entries in another file, or that are
/// in the body of an entry, are not taken for entries of this segment.
[[nodiscard]] std::uint32_t checksum_seed(std::uint64_t generation);

/// Appends `entry` to `out`, and returns its checksum.
/// Requires: the body is not longer than body_bytes_max, and out.size() is a multiple of
/// entry_alignment.
/// Source: docs/formats/journal.md, section "Entries".
std::uint32_t encode(const Entry& entry, const Link& link, std::uint32_t seed, Buffer& out);

/// The header at the start of `bytes` if its checksum is right, whatever follows it.
///
/// It is checked without the body, so that what the header says about durability still counts if
/// the body after it is damaged.
[[nodiscard]] std::optional<EntryHeader> decode_header(Bytes bytes, std::uint32_t seed);

/// The valid entry at the start of `bytes`, or nullopt. Its body is a view into `bytes`.
[[nodiscard]] std::optional<DecodedEntry> decode(Bytes bytes, std::uint32_t seed);

}  // namespace understudy::journal
