#pragma once

#include <string>
#include <string_view>

#include "journal/format/segment.h"
#include "runtime/disk.h"

namespace understudy::journal {

/// A begun segment that is shorter than its header says.
///
/// If only bytes are missing that were never used, no entry is lost. Then zeros may be appended,
/// and the segment is complete again.
struct ShortSegment {
    /// The last complete entry in it; if there is none, the entry before its first.
    Index last;
    std::uint64_t size_bytes = 0;
    std::uint64_t wanted_bytes = 0;
    bool only_padding = false;
};

/// Reads the segment up to its end. `entries_at` is where its first entry begins.
/// Errors: disk_failed (none).
[[nodiscard]] Result<ShortSegment> look_at_short(File& file, std::uint64_t size_bytes,
                                                 const SegmentHeader& header,
                                                 std::uint64_t entries_at);

/// The error which says that every entry is complete, and how to restore the rest: corrupt (none).
[[nodiscard]] Error only_padding_missing(const std::string& directory, std::string_view name,
                                         const ShortSegment& segment);

/// Says why a segment without a header has lost something: see is_segment_length().
[[nodiscard]] std::string lost_length(std::uint64_t size_bytes);

}  // namespace understudy::journal
