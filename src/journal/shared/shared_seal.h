#pragma once

#include <cstdint>
#include <optional>

#include "journal/format/entry.h"

namespace understudy::journal {

/// The block after the header of an epoch's first segment.
///
/// It says that this epoch continues after entry `at` of epoch `old`, and that the entries of `old`
/// after `at` are void.
struct Seal {
    std::uint32_t journal = 0;   ///< Which journal: a random number of its first epoch. Not 0.
    std::uint32_t checksum = 0;  ///< Of entry `at`; 0 if `at` is 0.
    Epoch epoch;                 ///< The epoch that begins.
    Epoch old;                   ///< 0: there was none.
    Index at;
    Index last;  ///< The tenure entry, which is the last of the entries that come with the seal.
    friend bool operator==(const Seal&, const Seal&) = default;
};

inline constexpr std::size_t seal_bytes = 64;

/// Appends the seal to `out`. Its checksum is continued from the segment's seed.
/// Source: docs/formats/shared-journal.md, section "Seals".
void encode(const Seal& seal, std::uint32_t seed, Buffer& out);
/// The seal at the front of `bytes`, or nullopt. Errors: bad_config (none) for another version.
[[nodiscard]] Result<std::optional<Seal>> decode_seal(Bytes bytes, std::uint32_t seed);

/// A checksum that an entry and its copies have in common. The checksum in the header of a copy
/// differs from that of the original.
[[nodiscard]] std::uint32_t content_checksum(const Entry& entry);

}  // namespace understudy::journal
