#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/types.h"

namespace understudy::journal {

/// What an entry is for. The numbers are file format: never reuse, never renumber.
enum class EntryType : std::uint8_t {
    tenure = 1,   ///< The first entry of an epoch. No body.
    command = 2,  ///< For the state machine.
    mark = 3,     ///< Says only that what precedes it is durable. No body.
};

/// One position of a journal. `body` lives as long as the call that hands it over.
struct Entry {
    Index index;
    Epoch epoch;
    EntryType type = EntryType::command;
    Bytes body;
};

/// Everything before it, as far as a reader must check it: the checksum of the entry before, and
/// the highest index that was durable when this entry was written.
struct Link {
    std::uint32_t previous = 0;
    Index synced;
    friend bool operator==(const Link&, const Link&) = default;
};

struct DecodedEntry {
    Entry entry;
    Link link;
    std::uint32_t checksum = 0;    ///< The next entry's Link::previous.
    std::size_t encoded_bytes = 0;  ///< Header, body and padding.
};

/// Size of an entry's header on disk. An entry with an empty body is no longer than that.
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
/// It differs between segments, so that bytes which were valid entries in another file, or in the
/// body of an entry, are not taken for entries of this one.
[[nodiscard]] std::uint32_t checksum_seed(std::uint64_t generation);

/// Appends `entry` to `out`, and returns its checksum.
/// Requires: body_bytes_max is kept, out.size() is a multiple of entry_alignment.
/// Source: docs/formats/journal.md, section "Entries".
std::uint32_t encode(const Entry& entry, const Link& link, std::uint32_t seed, Buffer& out);

/// What the entry at the front of `header` takes on disk if it is one; nullopt if it is none.
///
/// Asks only the fields that have a small range of values, not the checksum: tells a reader how
/// much to read. At most encoded_bytes(body_bytes_max).
[[nodiscard]] std::optional<std::size_t> claimed_bytes(Bytes header);

/// The valid entry at the front of `bytes`, or nullopt. Its body is a view into `bytes`.
[[nodiscard]] std::optional<DecodedEntry> decode(Bytes bytes, std::uint32_t seed);

}  // namespace understudy::journal
