#include "journal/walk/walk_node.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "journal/format/checkpoint_file.h"
#include "journal/format/place_reader.h"
#include "journal/format/segment.h"
#include "journal/node_log/node_record.h"

namespace understudy::journal {

namespace {

constexpr std::uint64_t bodies_bytes_max = 1 * MiB;  // Bodies that are read at once.

bool begins_with_identity(Bytes records) {
    ByteReader reader(records);
    const auto first = decode_record(reader);
    return first && first->what == RecordWhat::identity;
}

bool all_records(Bytes body) {
    ByteReader reader(body);
    while (!reader.done()) {
        if (!decode_record(reader)) return false;
    }
    return true;
}

}  // namespace

Result<void> WalkNode::begin() {
    const Checkpoint* const newest = parts_.newest_checkpoint();
    if (newest == nullptr) return {};
    const Index at = newest->at;
    auto restored = restore(at);
    if (!restored && restored.error().code == Errc::corrupt) {
        broken_ = true;
        parts_.damaged({}, checkpoint_name(at), checkpoint_header_bytes, restored.error().detail);
        return {};
    }
    return restored;
}

Result<void> WalkNode::restore(Index at) {
    const auto reader = US_TRY(CheckpointReader::open(parts_.disk, parts_.directory, at));
    from_ = at;
    taken_ = at;
    Buffer rest;
    for (bool last = false; !last;) {
        const auto slice = US_TRY(reader->next());
        last = slice.last;
        rest.insert(rest.end(), slice.bytes.begin(), slice.bytes.end());
        std::size_t taken = 0;
        while (rest.size() - taken >= snapshot_block_header_bytes) {
            std::uint32_t length = 0;
            std::memcpy(&length, rest.data() + taken, sizeof length);
            const Bytes behind = Bytes(rest).subspan(taken + snapshot_block_header_bytes);
            const bool sane = length <= snapshot_block_bytes_max;
            if (is_ == Is::unknown) {
                const Bytes block = behind.first(std::min<std::size_t>(length, behind.size()));
                is_ = sane && begins_with_identity(block) ? Is::yes : Is::no;
                if (is_ == Is::no) return {};
            }
            if (!sane) return Error{.code = Errc::corrupt, .detail = "a block of its index"};
            if (behind.size() < length) break;
            US_CHECK(index_.apply_all(behind.first(length), 0, 0));
            taken += snapshot_block_header_bytes + length;
        }
        rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(taken));
    }
    if (is_ == Is::unknown) {  // The state is shorter than the length field of a block.
        is_ = Is::no;
        return {};
    }
    if (!rest.empty()) return Error{.code = Errc::corrupt, .detail = "the end of its index"};
    return {};
}

void WalkNode::take(const Entry& entry, const std::string& file, std::uint64_t offset) {
    if (is_ == Is::no) return;
    if (entry.index > from_) {
        broken_ = broken_ || entry.index != taken_.next();
        taken_ = entry.index;
    }
    if (!has_body(entry.type)) return;
    if (is_ == Is::unknown) {
        const bool like_one = entry.type == EntryType::command &&
                              begins_with_identity(entry.body) && all_records(entry.body);
        is_ = like_one ? Is::yes : Is::no;
        if (!like_one) return;
    }
    if (entry.type != EntryType::command) return;
    if (entry.index <= from_ || broken_) {
        if (!all_records(entry.body)) {
            parts_.damaged(entry.index, file, offset, "it holds something that is no record");
        }
        return;
    }
    const auto segment = static_cast<std::uint32_t>(entry.place.generation);
    if (auto applied = index_.apply_all(entry.body, segment, entry.place.offset); !applied) {
        broken_ = true;
        parts_.damaged(entry.index, file, offset, applied.error().detail);
    }
}

Result<void> WalkNode::finish(WalkDepth depth) {
    if (is_ != Is::yes) return {};
    parts_.out.kind = WalkKind::node;
    parts_.out.identity = index_.identity();
    for (auto& [id, group] : index_.groups()) {
        const Epoch term = group.entries.empty() ? Epoch{} : group.entries.back().term;
        parts_.out.groups.push_back({.group = id,
                                     .state = group.state,
                                     .first = group.first,
                                     .last = group.last(),
                                     .term = term});
        if (depth == WalkDepth::everything && !broken_) US_CHECK(read_bodies(id, group));
    }
    if (broken_) return {};
    PlaceReader bodies(parts_.disk, parts_.directory, parts_.out.journal);
    return parts_.visitor.groups({.journal = parts_.out.journal,
                                  .identity = index_.identity(),
                                  .groups = index_.groups(),
                                  .bodies = bodies});
}

/// Checks that each live entry is where the index says, and is the one that the index describes.
Result<void> WalkNode::read_bodies(GroupId id, const GroupIndex& group) {
    PlaceReader reader(parts_.disk, parts_.directory, parts_.out.journal);
    for (Index index = group.first; index <= group.last();) {
        std::vector<WantedBody> wanted;
        std::uint64_t bytes = 0;
        for (; index <= group.last() && bytes < bodies_bytes_max; index = index.next()) {
            const IndexedEntry& entry = *group.find(index);
            wanted.push_back({.group = id, .index = index, .entry = entry});
            bytes += entry.body_bytes + record_overhead_max;
        }
        if (reader.read(wanted)) continue;
        // Find out which of them cannot be read.
        for (const WantedBody& one : wanted) {
            const auto found = reader.read({one});
            if (found) continue;
            const Errc code = found.error().code;
            if (code != Errc::corrupt && code != Errc::no_such_file) return found.error();
            // The process that has the log open may have removed or reused the segment: the walk
            // begins again.
            if (code == Errc::no_such_file && parts_.out.live) return found.error();
            const std::uint64_t generation =
                std::uint64_t{parts_.out.journal} << 32 | one.entry.segment;
            if (parts_.out.live) {
                US_CHECK(parts_.disk.open(parts_.path(segment_name(generation)),
                                          Disk::Open::existing));
            }
            parts_.damaged({}, segment_name(generation), one.entry.offset,
                           fmt::format("entry {} of group {} {}", one.index.value, id.value,
                                       code == Errc::corrupt ? "is not the one that was written"
                                                             : "lay in it, and it is gone"));
        }
    }
    return {};
}

}  // namespace understudy::journal
