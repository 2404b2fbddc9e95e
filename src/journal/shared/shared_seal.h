#pragma once

#include <cstdint>
#include <optional>

#include "journal/format/entry.h"

namespace understudy::journal {

/// What stands behind the header of an epoch's first segment.
///
/// This epoch goes on behind entry `at` of epoch `old`; what `old` has behind `at` is void.
struct Seal {
    std::uint32_t journal = 0;   ///< Which journal; drawn when it was begun. Not 0.
    std::uint32_t checksum = 0;  ///< Of entry `at`; 0 if that is 0.
    Epoch epoch;                 ///< The one that begins.
    Epoch old;                   ///< 0: there was none.
    Index at;
    Index last;  ///< The tenure entry: what the seal brings ends with it.
    friend bool operator==(const Seal&, const Seal&) = default;
};

inline constexpr std::size_t seal_bytes = 64;

/// Appends the seal to `out`. Its checksum is continued from the segment's seed.
/// Source: docs/formats/shared-journal.md, section "Seals".
void encode(const Seal& seal, std::uint32_t seed, Buffer& out);
/// The seal at the front of `bytes`, or nullopt. Errors: bad_config (none) for another version.
[[nodiscard]] Result<std::optional<Seal>> decode_seal(Bytes bytes, std::uint32_t seed);

/// What an entry is, wherever it stands: a copy has another checksum, but not another content.
[[nodiscard]] std::uint32_t content_checksum(const Entry& entry);

}  // namespace understudy::journal
