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
    mark = 3,      ///< Says only that what precedes it is durable. No body.
    commands = 4,  ///< Several, and what concerns sessions: docs/formats/session.md.
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

/// One position of a journal. `body` lives as long as the call that hands it over.
struct Entry {
    Index index;
    Epoch epoch;
    EntryType type = EntryType::command;
    Bytes body;
    Place place{};  ///< Of the body, in a journal that has files of its own.
};

/// What ties an entry to those before it.
struct Link {
    std::uint32_t previous = 0;  ///< Checksum of the entry before; 0 before the first.
    Index synced;                ///< Was durable when this entry was written.
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
    std::uint32_t checksum = 0;  ///< Over all the rest; the next entry's Link::previous.

    [[nodiscard]] std::size_t encoded_bytes() const;  ///< Header, body and padding.
};

struct DecodedEntry {
    EntryHeader header;
    Bytes body;
};

/// Size of a header on disk; an entry with an empty body is no longer than that.
inline constexpr std::size_t entry_header_bytes = 40;

/// Where entries may begin: at multiples of this. They are padded with zeros up to it.
inline constexpr std::size_t entry_alignment = 8;

/// No body is longer, whatever the size of a segment.
inline constexpr std::uint64_t body_bytes_max = 16 * MiB;

/// What an entry with such a body takes on disk.
[[nodiscard]] constexpr std::uint64_t encoded_bytes(std::uint64_t body_bytes) {
    const std::uint64_t bare = entry_header_bytes + body_bytes;
    return (bare + entry_alignment - 1) / entry_alignment * entry_alignment;
}

/// What the checksums of a segment's entries start from.
///
/// It differs between segments, so that bytes which were valid entries in another file, or stand
/// in the body of an entry, are not taken for entries of this one.
[[nodiscard]] std::uint32_t checksum_seed(std::uint64_t generation);

/// Appends `entry` to `out`, and returns its checksum.
/// Requires: body_bytes_max is kept, out.size() is a multiple of entry_alignment.
/// Source: docs/formats/journal.md, section "Entries".
std::uint32_t encode(const Entry& entry, const Link& link, std::uint32_t seed, Buffer& out);

/// The header at the front of `bytes` if its checksum is right, whatever follows it.
///
/// Apart from the body, so that a claim of durability outlives damage to the body behind it.
[[nodiscard]] std::optional<EntryHeader> decode_header(Bytes bytes, std::uint32_t seed);

/// The valid entry at the front of `bytes`, or nullopt. Its body is a view into `bytes`.
[[nodiscard]] std::optional<DecodedEntry> decode(Bytes bytes, std::uint32_t seed);

}  // namespace understudy::journal
