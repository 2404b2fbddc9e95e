// The index is written to a checkpoint of the journal, so that old segments can be removed.
#include <algorithm>
#include <cstring>
#include <utility>

#include "journal/node_log/node_log_core.h"
#include "journal/node_log/node_log_later.h"

namespace understudy::journal {

namespace {

constexpr std::size_t snapshot_slice_bytes = 256 * KiB;

}  // namespace

/// Reads blocks of records, each after its length. The blocks are cut into slices at any point.
Result<void> NodeLogCore::restore(const StateSlice& slice) {
    if (slice.first) {
        index_ = {};
        restoring_.clear();
    }
    restoring_.insert(restoring_.end(), slice.bytes.begin(), slice.bytes.end());
    Bytes rest = restoring_;
    while (rest.size() >= snapshot_block_header_bytes) {
        std::uint32_t length = 0;
        std::memcpy(&length, rest.data(), sizeof length);
        if (length > snapshot_block_bytes_max) {
            return Error{.code = Errc::corrupt, .detail = "the index of the node's log: a block"};
        }
        if (rest.size() - snapshot_block_header_bytes < length) break;
        US_CHECK(index_.apply_all(rest.subspan(snapshot_block_header_bytes, length), 0, 0));
        rest = rest.subspan(snapshot_block_header_bytes + length);
    }
    restoring_.erase(restoring_.begin(),
                     restoring_.end() - static_cast<std::ptrdiff_t>(rest.size()));
    if (slice.last && !restoring_.empty()) {
        return Error{.code = Errc::corrupt, .detail = "the index of the node's log: its end"};
    }
    return {};
}

/// The snapshot covers what has been handed over by now. It is written when all of that is durable.
void NodeLogCore::begin_snapshot() {
    if (snapshot_ || closing_) return;
    ++snapshots_;
    snapshot_.emplace();
    snapshot_->position = written_;
    snapshot_->bytes_written = bytes_written_;
    snapshot_->groups.reserve(groups_.size());
    for (const auto& [id, group] : groups_) snapshot_->groups.push_back(id);
    trimmed_ = false;
}

/// To be called before a group changes.
void NodeLogCore::freeze(GroupId id, LiveGroup& group) {
    if (!snapshot_ || group.snapshot == snapshots_) return;
    group.snapshot = snapshots_;
    snapshot_->frozen.emplace(id, group.index);
}

void NodeLogCore::write_snapshot() {
    if (!snapshot_->writer) {
        auto writer = journal_->begin_checkpoint();
        if (!writer) return end_snapshot(writer.error());
        snapshot_->writer = *std::move(writer);
        snapshot_->newest_segment = newest_segment_;
    }
    Buffer slice = snapshot_slice();
    if (!slice.empty()) {
        snapshot_->writer->write(std::move(slice), [this](const Result<void>& result) {
            result ? write_snapshot() : end_snapshot(result);
        });
        return;
    }
    const std::uint32_t oldest =
        snapshot_->oldest_segment != 0 ? snapshot_->oldest_segment : snapshot_->newest_segment;
    const std::uint64_t newest = local().segments().back();
    local().keep_from((newest & ~std::uint64_t{UINT32_MAX}) | oldest);
    snapshot_->writer->finish([this](const Result<void>& result) { end_snapshot(result); });
}

/// Returns the next block; empty at the end.
Buffer NodeLogCore::snapshot_slice() {
    Snapshot& snapshot = *snapshot_;
    Buffer slice;
    if (snapshot.next == snapshot.groups.size() && snapshot.begun) return slice;
    slice.resize(snapshot_block_header_bytes);
    if (!std::exchange(snapshot.begun, true)) {
        encode({.what = RecordWhat::identity, .number = identity_}, slice);
    }
    while (snapshot.next < snapshot.groups.size() && slice.size() < snapshot_slice_bytes) {
        const GroupId id = snapshot.groups[snapshot.next];
        const auto frozen = snapshot.frozen.find(id);
        const bool is_frozen = frozen != snapshot.frozen.end();
        const GroupIndex& group = is_frozen ? frozen->second : groups_.at(id).index;
        if (snapshot.next_entry == 0) {
            encode({.what = RecordWhat::state, .group = id, .body = group.state}, slice);
            encode({.what = RecordWhat::restart, .group = id, .index = group.first}, slice);
            snapshot.live_bytes += group.state.size();
        }
        for (; snapshot.next_entry < group.entries.size() && slice.size() < snapshot_slice_bytes;
             ++snapshot.next_entry) {
            const IndexedEntry& entry = group.entries[snapshot.next_entry];
            US_ASSERT(entry.placed());
            encode({.what = RecordWhat::place,
                    .group = id,
                    .index = {group.first.value + snapshot.next_entry},
                    .term = entry.term,
                    .kind = entry.kind,
                    .checksum = entry.checksum,
                    .segment = entry.segment,
                    .offset = entry.offset,
                    .body_bytes = entry.body_bytes},
                   slice);
            const bool older =
                snapshot.oldest_segment == 0 || entry.segment < snapshot.oldest_segment;
            if (older) snapshot.oldest_segment = entry.segment;
            snapshot.live_bytes += entry.body_bytes + record_overhead_max;
        }
        if (snapshot.next_entry < group.entries.size()) break;
        if (is_frozen) {
            snapshot.frozen.erase(frozen);
        } else {
            groups_.at(id).snapshot = snapshots_;
        }
        snapshot.next_entry = 0;
        ++snapshot.next;
    }
    const auto length = static_cast<std::uint32_t>(slice.size() - snapshot_block_header_bytes);
    std::memcpy(slice.data(), &length, sizeof length);
    return slice;
}

void NodeLogCore::end_snapshot(const Result<void>& result) {
    const Snapshot snapshot = std::move(*snapshot_);
    snapshot_.reset();
    if (result) {
        snapshot_due_ = snapshot.bytes_written + options_.segment_size_bytes;
        begin_cleaning(snapshot.oldest_segment, snapshot.live_bytes);
        return;
    }
    snapshot_due_ = bytes_written_ + options_.segment_size_bytes / 4;
    if (closing_) return;
    log_.warn("node_log.checkpoint.failed",
              {kv("directory", options_.directory), kv("error", result.error())});
}

}  // namespace understudy::journal
