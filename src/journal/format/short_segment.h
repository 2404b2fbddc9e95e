#pragma once

#include <string>
#include <string_view>

#include "journal/format/segment.h"
#include "runtime/disk.h"

namespace understudy::journal {

/// A begun segment that is shorter than its header says.
///
/// If nothing is missing but bytes that were never used, no entry is lost: then the zeros may be
/// appended, and the segment is whole again.
struct ShortSegment {
    /// The last entry in it that is whole; if there is none, the one before its first.
    Index last;
    std::uint64_t size_bytes = 0;
    std::uint64_t wanted_bytes = 0;
    bool only_padding = false;
};

/// Reads the segment as far as it goes. `entries_at`: where its first entry begins.
/// Errors: disk_failed (none).
[[nodiscard]] Result<ShortSegment> look_at_short(File& file, std::uint64_t size_bytes,
                                                 const SegmentHeader& header,
                                                 std::uint64_t entries_at);

/// Says that every entry is whole, and how the rest comes back: corrupt (none).
[[nodiscard]] Error only_padding_missing(const std::string& directory, std::string_view name,
                                         const ShortSegment& segment);

/// Why a segment without a header has lost something: see is_segment_length().
[[nodiscard]] std::string lost_length(std::uint64_t size_bytes);

}  // namespace understudy::journal
