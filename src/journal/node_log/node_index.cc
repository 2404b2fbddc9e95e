#include "journal/node_log/node_index.h"

#include <algorithm>

#include <fmt/format.h>

namespace understudy::journal {

namespace {

Error contradicts(const NodeRecord& record) {
    return {.code = Errc::corrupt,
            .detail =
                fmt::format("a record of kind {} about entry {} of group {} does not follow "
                            "from those before it",
                            static_cast<int>(record.what), record.index.value, record.group.value)};
}

}  // namespace

const IndexedEntry* GroupIndex::find(Index index) const {
    if (index < first || index > last()) return nullptr;
    return &entries[static_cast<std::size_t>(index.value - first.value)];
}

IndexedEntry* GroupIndex::find(Index index) {
    if (index < first || index > last()) return nullptr;
    return &entries[static_cast<std::size_t>(index.value - first.value)];
}

void GroupIndex::trim(Index to) {
    if (to <= first) return;
    const auto gone = std::min<std::uint64_t>(to.value - first.value, entries.size());
    entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(gone));
    first = {first.value + gone};
}

void GroupIndex::cut(Index from) {
    if (from > last()) return;
    entries.resize(from <= first ? 0 : static_cast<std::size_t>(from.value - first.value));
}

void GroupIndex::restart(Index next) {
    entries.clear();
    first = next;
}

Result<void> NodeIndex::apply(const NodeRecord& record, std::uint32_t segment,
                              std::uint32_t offset) {
    if (record.what == RecordWhat::identity) {
        if (identity_ != 0 && identity_ != record.number) return contradicts(record);
        identity_ = record.number;
        return {};
    }
    if (record.what == RecordWhat::forget) {
        groups_.erase(record.group);
        return {};
    }
    // Records with bodies are in segments, and records with places are in checkpoints.
    const bool has_place = segment != 0;
    const bool with_body = record.what == RecordWhat::entry || record.what == RecordWhat::copy;
    if (with_body && !has_place) return contradicts(record);
    if (record.what == RecordWhat::place && has_place) return contradicts(record);
    if (record.what == RecordWhat::copy && !groups_.contains(record.group)) {
        return contradicts(record);
    }
    GroupIndex& group = groups_[record.group];
    IndexedEntry entry{.term = record.term,
                       .segment = segment,
                       .offset = offset,
                       .body_bytes = static_cast<std::uint32_t>(record.body.size()),
                       .checksum = record.checksum,
                       .kind = record.kind};
    switch (record.what) {
        case RecordWhat::state:
            group.state.assign(record.body.begin(), record.body.end());
            break;
        case RecordWhat::trim:
            if (record.index > group.last().next()) return contradicts(record);
            group.trim(record.index);
            break;
        case RecordWhat::cut:
            if (record.index < group.first || record.index > group.last().next()) {
                return contradicts(record);
            }
            group.cut(record.index);
            break;
        case RecordWhat::restart:
            group.restart(record.index);
            break;
        case RecordWhat::place:
            entry.segment = record.segment;
            entry.offset = record.offset;
            entry.body_bytes = record.body_bytes;
            [[fallthrough]];
        case RecordWhat::entry:
            if (record.index != group.last().next()) return contradicts(record);
            group.entries.push_back(entry);
            break;
        case RecordWhat::copy: {
            IndexedEntry* const known = group.find(record.index);
            const bool same = known != nullptr && known->term == entry.term &&
                              known->checksum == entry.checksum &&
                              known->body_bytes == entry.body_bytes;
            if (!same) return contradicts(record);
            *known = entry;
            break;
        }
        case RecordWhat::identity:
        case RecordWhat::forget:
            break;
    }
    return {};
}

Result<void> NodeIndex::apply_all(Bytes body, std::uint32_t segment, std::uint64_t offset) {
    ByteReader reader(body);
    while (!reader.done()) {
        const auto record = decode_record(reader);
        if (!record) return Error{.code = Errc::corrupt, .detail = "no record where one should be"};
        const std::uint64_t behind = body.size() - reader.rest().size();
        const std::uint64_t at = offset + behind - record->body.size();
        US_ASSERT(at <= UINT32_MAX);
        US_CHECK(apply(*record, segment, static_cast<std::uint32_t>(at)));
    }
    return {};
}

}  // namespace understudy::journal
