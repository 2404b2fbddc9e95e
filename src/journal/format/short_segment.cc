#include "journal/format/short_segment.h"

#include <fmt/format.h>

#include "journal/format/chain.h"
#include "journal/format/segment_reader.h"

namespace understudy::journal {

Result<ShortSegment> look_at_short(File& file, std::uint64_t size_bytes,
                                   const SegmentHeader& header, std::uint64_t entries_at) {
    if (size_bytes > header.size_bytes) {
        return ShortSegment{.last = {header.first.value - 1},
                            .size_bytes = size_bytes,
                            .wanted_bytes = header.size_bytes};
    }
    SegmentReader reader(file, size_bytes, header.generation);
    Chain chain{.last = {header.first.value - 1}, .epoch = {}, .checksum = header.previous};
    std::uint64_t offset = entries_at;
    for (;;) {
        const auto found = US_TRY(reader.entry_at(offset));
        if (!found || !chain.accepts(found->header)) break;
        chain.advance(found->header);
        offset += found->header.encoded_bytes();
    }
    ShortSegment segment{
        .last = chain.last, .size_bytes = size_bytes, .wanted_bytes = header.size_bytes};
    if (offset > size_bytes) return segment;
    // If an entry followed, its header would be there, unless there was no room for one.
    const Buffer next = US_TRY(reader.copy(offset, entry_header_bytes));
    const bool room = header.size_bytes - offset >= entry_header_bytes;
    const bool none_followed =
        !room || (next.size() == entry_header_bytes &&
                  !decode_header(next, checksum_seed(header.generation)));
    segment.only_padding = none_followed && US_TRY(reader.search(offset)).claimed <= chain.last;
    return segment;
}

Error only_padding_missing(const std::string& directory, std::string_view name,
                           const ShortSegment& segment) {
    return {
        .code = Errc::corrupt,
        .detail = fmt::format("{} of the journal in {} has {} bytes instead of {}: every entry up "
                              "to {} is whole, only bytes that were never used are missing\n"
                              "try: understudy journal repair {}",
                              name, directory, segment.size_bytes, segment.wanted_bytes,
                              segment.last.value, directory)};
}

std::string lost_length(std::uint64_t size_bytes) {
    return fmt::format("it has {} bytes, and a segment has its full length from its first moment",
                       size_bytes);
}

}  // namespace understudy::journal
