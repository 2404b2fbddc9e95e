#include "journal/format/segment_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace understudy::journal {

namespace {

// Size of one read. A longer entry gets a longer read.
constexpr std::uint64_t window_bytes = 256 * KiB;

// How many bytes at the start are known to be zero after one comparison. Most of a segment is often
// zero.
std::size_t zeros_ahead(Bytes bytes) {
    static const std::array<std::byte, 4 * KiB> zeros{};
    if (bytes.size() < zeros.size()) return 0;
    return std::memcmp(bytes.data(), zeros.data(), zeros.size()) == 0 ? zeros.size() : 0;
}

// Tells whether the first eight bytes are zero, or all bytes if there are fewer.
bool begins_with_zeros(Bytes bytes) {
    std::uint64_t word = 0;
    static_assert(sizeof word == entry_alignment);
    std::memcpy(&word, bytes.data(), std::min(bytes.size(), sizeof word));
    return word == 0;
}

}  // namespace

SegmentReader::SegmentReader(File& file, std::uint64_t size_bytes, std::uint64_t generation)
    : file_(file),
      size_bytes_(size_bytes),
      generation_(generation),
      seed_(checksum_seed(generation)) {}

Result<std::optional<SegmentHeader>> SegmentReader::header() {
    return decode_segment_header(US_TRY(view(0, segment_header_bytes)), generation_);
}

Result<std::optional<ReserveHeader>> SegmentReader::reserve_header() {
    return decode_reserve_header(US_TRY(view(0, segment_header_bytes)), generation_);
}

Result<std::optional<DecodedEntry>> SegmentReader::entry_at(std::uint64_t offset) {
    const std::optional<DecodedEntry> none;
    const auto header = decode_header(US_TRY(view(offset, entry_header_bytes)), seed_);
    if (!header) return none;
    return decode(US_TRY(view(offset, header->encoded_bytes())), seed_);
}

Result<SegmentReader::Remains> SegmentReader::search(std::uint64_t offset) {
    Remains remains{.claimed = {}, .end = offset, .valid_end = offset};
    while (offset < size_bytes_) {
        // Chunks overlap by the length of a header minus one position, so that each header is
        // complete in one chunk.
        const Bytes chunk = US_TRY(view(offset, window_bytes));
        const bool last = offset + chunk.size() == size_bytes_;
        const std::size_t places =
            last ? chunk.size() : chunk.size() - entry_header_bytes + entry_alignment;
        for (std::size_t at = 0; at < places; at += entry_alignment) {
            const Bytes rest = chunk.subspan(at);
            if (begins_with_zeros(rest)) {
                // The last zeros may belong to a header, so the search steps back by the length of
                // a header.
                const std::size_t zeros = zeros_ahead(rest);
                if (zeros > 0) at += zeros - entry_header_bytes;
                continue;
            }
            remains.end = std::min(offset + at + entry_alignment, size_bytes_);
            const auto header = decode_header(rest, seed_);
            if (!header) continue;
            remains.claimed = std::max(remains.claimed, header->link.synced);
            const std::uint64_t entry_end = offset + at + header->encoded_bytes();
            remains.valid_end = std::max(remains.valid_end, std::min(entry_end, size_bytes_));
        }
        offset += places;
    }
    return remains;
}

Result<Buffer> SegmentReader::copy(std::uint64_t offset, std::uint64_t bytes) {
    const Bytes found = US_TRY(view(offset, bytes));
    return Buffer(found.begin(), found.end());
}

Result<Bytes> SegmentReader::view(std::uint64_t offset, std::uint64_t bytes) {
    if (offset >= size_bytes_) return Bytes{};
    bytes = std::min(bytes, size_bytes_ - offset);
    const bool inside = offset >= window_at_ && offset + bytes <= window_at_ + window_.size();
    if (!inside) {
        window_.resize(static_cast<std::size_t>(
            std::min(std::max(bytes, window_bytes), size_bytes_ - offset)));
        window_at_ = offset;
        if (auto read = file_.read_at(offset, window_); !read) {
            window_.clear();  // Its content is not that of the file.
            return std::move(read).error();
        }
    }
    const Bytes window(window_);
    return window.subspan(static_cast<std::size_t>(offset - window_at_),
                          static_cast<std::size_t>(bytes));
}

}  // namespace understudy::journal
