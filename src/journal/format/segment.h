#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "journal/format/entry.h"

namespace understudy::journal {

inline constexpr std::string_view segment_suffix = ".seg";

/// The first bytes of a segment that was begun.
///
/// A valid header also says that every entry before `first` was durable when it was written. A
/// segment without a valid header has not been begun.
struct SegmentHeader {
    std::uint64_t generation = 0;  ///< Also the file's name. Grows by one from segment to segment.
    std::uint64_t size_bytes = 0;  ///< Of the whole file, from the start.
    Index first;                   ///< Of the first entry in it.
    std::uint32_t previous = 0;    ///< Checksum of the entry before `first`; 0 before entry 1.
    bool reused = false;  ///< After its entries come bytes of an earlier segment, not zeros.
    friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

inline constexpr std::size_t segment_header_bytes = 64;
inline constexpr std::uint32_t format_version = 1;

inline constexpr std::uint64_t segment_bytes_min = 64 * KiB;
inline constexpr std::uint64_t segment_bytes_max = 4 * GiB;
inline constexpr std::uint64_t segment_bytes_step = 4 * KiB;

/// A segment file has such a length from the moment it has its name, begun or not. Any other length
/// proves that a part of it was lost.
[[nodiscard]] constexpr bool is_segment_length(std::uint64_t bytes) {
    return bytes >= segment_bytes_min && bytes <= segment_bytes_max &&
           bytes % segment_bytes_step == 0;
}

/// Room at the end of a segment for the entries that begin a tenure. It lets a journal open on a
/// full disk a hundred times.
inline constexpr std::uint64_t tenure_bytes = 4 * KiB;

/// What promotions may still write when ordinary appends are refused because there is no space: a
/// quarter of a segment, 1 MiB at most. In segments of 256 KiB and more it is at least 64 KiB.
[[nodiscard]] constexpr std::uint64_t promotion_bytes(std::uint64_t segment_bytes) {
    return std::min(segment_bytes / 4, 1 * MiB);
}

/// How far ordinary appends may fill a segment while there is no reserve.
[[nodiscard]] constexpr std::uint64_t ordinary_limit(std::uint64_t segment_bytes) {
    return segment_bytes - promotion_bytes(segment_bytes) - tenure_bytes;
}

/// How far promotions may fill it.
[[nodiscard]] constexpr std::uint64_t promotion_limit(std::uint64_t segment_bytes) {
    return segment_bytes - tenure_bytes;
}

/// The maximum encoded length of an append. Each fits into a new segment, below its ordinary limit.
[[nodiscard]] constexpr std::uint64_t append_bytes_max(std::uint64_t segment_bytes) {
    return std::min(ordinary_limit(segment_bytes) - segment_header_bytes,
                    encoded_bytes(body_bytes_max));
}
static_assert(promotion_bytes(256 * KiB) == 64 * KiB);
static_assert(append_bytes_max(segment_bytes_min) > 40 * KiB);

/// How many retired segments are kept to be used again: at most four, and at most 128 MiB.
[[nodiscard]] constexpr std::size_t retired_max(std::uint64_t segment_bytes) {
    return static_cast<std::size_t>(std::min<std::uint64_t>(4, 128 * MiB / segment_bytes));
}

/// The journal that a segment belongs to. The number is drawn when the first segment is made. Files
/// of two journals in one directory are a mistake: they were copied there.
[[nodiscard]] constexpr std::uint32_t journal_id(std::uint64_t generation) {
    return static_cast<std::uint32_t>(generation >> 32);
}
/// The generation of a new journal's first segment.
[[nodiscard]] constexpr std::uint64_t first_generation(std::uint32_t journal) {
    return (std::uint64_t{journal} << 32) + 1;
}

/// Appends the header to `out`: segment_header_bytes.
/// Source: docs/formats/journal.md, section "Segments".
void encode(const SegmentHeader& header, Buffer& out);

/// The header at the start of `bytes`, or nullopt if there is no valid one for `generation`.
/// Errors: bad_config (none) if another version of the format wrote it.
[[nodiscard]] Result<std::optional<SegmentHeader>> decode_segment_header(Bytes bytes,
                                                                         std::uint64_t generation);

/// The first bytes of a segment that has not been begun. The header of the segment replaces it.
///
/// It proves that the segment before was begun. Without it, a segment that lost its content would
/// look like one that was never begun.
struct ReserveHeader {
    std::uint64_t generation = 0;
    std::uint64_t size_bytes = 0;  ///< Of the whole file, from the start.
    Index durable;  ///< Entries up to this one were durable when the segment was made.
    friend bool operator==(const ReserveHeader&, const ReserveHeader&) = default;
};

/// Appends the header to `out`: segment_header_bytes.
/// Source: docs/formats/journal.md, section "Segments".
void encode(const ReserveHeader& header, Buffer& out);

/// The reserve's header at the start of `bytes`, or nullopt if there is no valid one for
/// `generation`.
/// Errors: bad_config (none) if another version of the format wrote it.
[[nodiscard]] Result<std::optional<ReserveHeader>> decode_reserve_header(Bytes bytes,
                                                                         std::uint64_t generation);

/// "0000002a00000001.seg"
[[nodiscard]] std::string segment_name(std::uint64_t generation);
/// The generation in a file name, or nullopt if it is not the name of a segment.
[[nodiscard]] std::optional<std::uint64_t> parse_segment_name(std::string_view name);

/// Sixteen hexadecimal digits. The names of segments and checkpoints begin with them.
[[nodiscard]] std::string hex16(std::uint64_t number);
/// The number before `suffix`, if `name` is sixteen such digits and the suffix.
[[nodiscard]] std::optional<std::uint64_t> parse_hex16(std::string_view name,
                                                       std::string_view suffix);

/// The suffix of files that are being made. Such files are removed when a journal is opened.
inline constexpr std::string_view temporary_suffix = ".tmp";
inline constexpr std::string_view lock_name = "lock";

[[nodiscard]] inline std::string path_in(const std::string& directory, std::string_view name) {
    return directory + "/" + std::string(name);
}

}  // namespace understudy::journal
