#include "journal/format/place_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "journal/format/segment.h"

namespace understudy::journal {

namespace {

constexpr std::size_t open_max = 4;
// Of bodies that are read at once. A longer body is read alone.
constexpr std::uint64_t read_bytes_max = 1 * MiB;
// Up to this length it is cheaper to read a gap than to skip it.
constexpr std::uint64_t gap_bytes_max = 4 * KiB;

std::uint64_t end_of_body(const IndexedEntry& entry) {
    return std::uint64_t{entry.offset} + entry.body_bytes;
}

/// How many of `wanted`, from `begin` on, are read at once.
std::size_t run_length(const std::vector<WantedBody>& wanted, std::size_t begin) {
    const IndexedEntry& first = wanted[begin].entry;
    std::size_t end = begin + 1;
    for (; end < wanted.size(); ++end) {
        const IndexedEntry& next = wanted[end].entry;
        const std::uint64_t behind = end_of_body(wanted[end - 1].entry);
        if (next.segment != first.segment || next.offset < behind) break;
        if (next.offset - behind > gap_bytes_max) break;
        if (end_of_body(next) - first.offset > read_bytes_max) break;
    }
    return end - begin;
}

}  // namespace

PlaceReader::PlaceReader(Disk& disk, std::string directory, std::uint32_t journal)
    : disk_(disk), directory_(std::move(directory)), journal_(journal) {}

Result<std::vector<GroupEntry>> PlaceReader::read(const std::vector<WantedBody>& wanted) {
    std::vector<GroupEntry> found;
    found.reserve(wanted.size());
    for (std::size_t begin = 0; begin < wanted.size();) {
        const std::size_t end = begin + run_length(wanted, begin);
        const IndexedEntry& first = wanted[begin].entry;
        const auto bytes =
            static_cast<std::size_t>(end_of_body(wanted[end - 1].entry) - first.offset);
        auto buffer = std::make_shared<Buffer>(bytes);
        File* const file = US_TRY(segment(first.segment));
        US_CHECK(file->read_at(first.offset, *buffer));
        for (; begin < end; ++begin) {
            const auto& [group, index, entry] = wanted[begin];
            const Bytes body =
                Bytes(*buffer).subspan(entry.offset - first.offset, entry.body_bytes);
            if (entry_checksum(group, index, entry.term, entry.kind, body) != entry.checksum) {
                return Error{
                    .code = Errc::corrupt,
                    .detail = fmt::format(
                        "entry {} of group {} is damaged, at {} of {}", index.value, group.value,
                        entry.offset, segment_name(std::uint64_t{journal_} << 32 | entry.segment))};
            }
            found.push_back(
                {.term = entry.term, .kind = entry.kind, .owner = buffer, .body = body});
        }
    }
    return found;
}

Result<File*> PlaceReader::segment(std::uint32_t number) {
    const auto known = std::find_if(open_.begin(), open_.end(),
                                    [&](const auto& one) { return one.first == number; });
    if (known != open_.end()) {
        std::rotate(known, known + 1, open_.end());
    } else {
        const std::string name = segment_name(std::uint64_t{journal_} << 32 | number);
        auto file = US_TRY(disk_.open(path_in(directory_, name), Disk::Open::existing));
        if (open_.size() == open_max) open_.erase(open_.begin());
        open_.emplace_back(number, std::move(file));
    }
    return open_.back().second.get();
}

}  // namespace understudy::journal
