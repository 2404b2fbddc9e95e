#pragma once

#include <optional>

#include "journal/format/segment.h"
#include "runtime/disk.h"

namespace understudy::journal {

/// Reads one segment file through a window, so that its size does not matter.
///
/// Thread: a worker.
/// Errors: of all functions: disk_failed (none).
class SegmentReader {
public:
    /// Requires: `file` is at least `size_bytes` long and outlives the reader.
    SegmentReader(File& file, std::uint64_t size_bytes, std::uint64_t generation);

    /// The segment's header; nullopt if there is no valid one. Also: bad_config (none).
    [[nodiscard]] Result<std::optional<SegmentHeader>> header();

    /// The reserve's header, which a segment has before it is begun; nullopt if there is no valid
    /// one. Also: bad_config (none).
    [[nodiscard]] Result<std::optional<ReserveHeader>> reserve_header();

    /// The valid entry at `offset`, or nullopt. Its body lives until the next call.
    [[nodiscard]] Result<std::optional<DecodedEntry>> entry_at(std::uint64_t offset);

    /// What comes after the last entry that could be read.
    struct Remains {
        Index claimed;          ///< The highest index that a header there says was durable.
        std::uint64_t end = 0;  ///< All bytes from here on are zero.
        /// The end of the last entry there whose header is valid. In a reused segment, nothing of
        /// this generation comes after this point, whether the bytes are zero or not.
        std::uint64_t valid_end = 0;
    };
    /// Looks at every position from `offset` on where an entry may begin.
    [[nodiscard]] Result<Remains> search(std::uint64_t offset);

    /// A copy of at most `bytes` bytes at `offset`. At the end of the segment there are fewer.
    [[nodiscard]] Result<Buffer> copy(std::uint64_t offset, std::uint64_t bytes);

private:
    [[nodiscard]] Result<Bytes> view(std::uint64_t offset, std::uint64_t bytes);

    File& file_;
    const std::uint64_t size_bytes_;
    const std::uint64_t generation_;
    const std::uint32_t seed_;
    std::uint64_t window_at_ = 0;
    Buffer window_;
};

}  // namespace understudy::journal
