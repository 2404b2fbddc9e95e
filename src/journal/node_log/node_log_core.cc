#include "journal/node_log/node_log_core.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "journal/format/segment.h"
#include "journal/node_log/node_log_later.h"

namespace understudy::journal {

namespace {

/// Writes that come together go into one draft up to this size. A longer write takes several
/// drafts.
constexpr std::uint64_t draft_bytes = 256 * KiB;

std::uint64_t longest_body(std::uint64_t segment_bytes) {
    const std::uint64_t append = append_bytes_max(segment_bytes);
    return std::min(append - entry_header_bytes - entry_alignment, body_bytes_max);
}

std::uint64_t written_bytes(const GroupWrite& write) {
    std::uint64_t bytes = 2 * record_overhead_max;
    if (write.state) bytes += record_overhead_max + write.state->size();
    for (const GroupEntry& entry : write.entries) bytes += record_overhead_max + entry.body.size();
    return bytes;
}

}  // namespace

NodeLogCore::NodeLogCore(Runtime& runtime, Log& log, NodeLog::Options options,
                         NodeLog::Observer& observer)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      observer_(observer),
      record_bytes_max_(longest_body(options_.segment_size_bytes)),
      draft_bytes_max_(std::min(draft_bytes, record_bytes_max_)),
      cache_(options_.cache_bytes_max),
      hand_over_(runtime.turn_ends(), TurnPhase::log, [this] { hand_over(); }),
      snapshot_due_(options_.segment_size_bytes) {}

NodeLogCore::~NodeLogCore() = default;

Result<LogPosition> NodeLogCore::write(GroupId id, GroupWrite write, Urgency urgency) {
    US_ASSERT(id != GroupId{});
    US_CHECK(check(write));
    const std::uint64_t bytes = written_bytes(write);
    US_CHECK(admit(bytes, urgency));
    const bool bare = !write.state && !write.trim && !write.restart && write.from == Index{} &&
                      write.entries.empty();
    if (bare) return written_;

    LiveGroup& group = group_for(id);
    draft_for(bytes);
    if (write.state) {
        group.index.state = *write.state;
        note({.what = RecordWhat::state, .group = id, .body = *write.state});
    }
    if (write.trim) {
        const Index to = std::min(*write.trim, group.index.last().next());
        if (to > group.index.first) {
            group.index.trim(to);
            cache_.trim(id, to);
            note({.what = RecordWhat::trim, .group = id, .index = to});
            trimmed_ = true;
        }
    }
    if (write.restart) {
        US_ASSERT(write.from != Index{});
        group.index.restart(write.from);
        cache_.cut(id, {});
        note({.what = RecordWhat::restart, .group = id, .index = write.from});
        trimmed_ = true;
    } else if (write.from != Index{} && write.from <= group.index.last()) {
        US_ASSERT(write.from >= group.index.first);
        group.index.cut(write.from);
        cache_.cut(id, write.from);
        note({.what = RecordWhat::cut, .group = id, .index = write.from});
    }
    US_ASSERT(write.from == Index{} || write.from == group.index.last().next());
    for (GroupEntry& entry : write.entries) append(id, group, std::move(entry));
    return turn();
}

Result<LogPosition> NodeLogCore::forget(GroupId id) {
    const auto found = groups_.find(id);
    if (found == groups_.end()) return written_;
    US_CHECK(admit(record_overhead_max, Urgency::promotion));
    freeze(id, found->second);
    groups_.erase(found);
    cache_.forget(id);
    draft_for(record_overhead_max);
    note({.what = RecordWhat::forget, .group = id});
    trimmed_ = true;
    return turn();
}

Index NodeLogCore::first(GroupId id) const {
    const GroupIndex* const group = find(id);
    return group == nullptr ? Index{1} : group->first;
}

Index NodeLogCore::last(GroupId id) const {
    const GroupIndex* const group = find(id);
    return group == nullptr ? Index{} : group->last();
}

std::optional<Epoch> NodeLogCore::term(GroupId id, Index index) const {
    const GroupIndex* const group = find(id);
    const IndexedEntry* const entry = group == nullptr ? nullptr : group->find(index);
    if (entry == nullptr) return std::nullopt;
    return entry->term;
}

std::vector<GroupEntry> NodeLogCore::cached(GroupId group, Index from, std::size_t count,
                                            std::size_t bytes_max) const {
    return cache_.read(group, from, count, bytes_max);
}

void NodeLogCore::close(std::function<void()> done) {
    hand_over();
    closing_ = true;
    cleaning_.reset();
    snapshot_.reset();
    journal_->close(std::move(done));
}

void NodeLogCore::committed(const Entry& entry) {
    if (entry.type != EntryType::command) return;
    newest_segment_ = static_cast<std::uint32_t>(entry.place.generation);
    if (journal_) return place(entry);
    if (damage_) return;
    bytes_written_ += entry.body.size();
    auto applied = index_.apply_all(entry.body, newest_segment_, entry.place.offset);
    if (applied) return;
    damage_ =
        Error{.code = Errc::corrupt,
              .detail = fmt::format("entry {} of the node's log in {} is damaged: {}",
                                    entry.index.value, options_.directory, applied.error().detail)};
}

void NodeLogCore::space_changed(Space space) {
    if (!on_opened_) observer_.space_changed(space);
}

void NodeLogCore::failed(const Error& error) {
    closing_ = true;
    cleaning_.reset();
    if (on_opened_) return end_opening(error);
    observer_.failed(error);
}

LocalJournal& NodeLogCore::local() const { return static_cast<LocalJournal&>(*journal_); }

const GroupIndex* NodeLogCore::find(GroupId id) const {
    const auto found = groups_.find(id);
    return found == groups_.end() ? nullptr : &found->second.index;
}

Result<void> NodeLogCore::check(const GroupWrite& write) const {
    if (write.state && write.state->size() > group_state_bytes_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("a group's state of {} bytes, {} at most",
                                           write.state->size(), group_state_bytes_max)};
    }
    const std::uint64_t bytes_max = record_bytes_max_ - record_overhead_max;
    for (const GroupEntry& entry : write.entries) {
        if (entry.body.size() <= bytes_max) continue;
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("an entry of {} bytes, {} at most", entry.body.size(),
                                           bytes_max)};
    }
    return {};
}

/// Checks whether there is room for `bytes` of records besides those of this turn.
Result<void> NodeLogCore::admit(std::uint64_t bytes, Urgency urgency) {
    const std::uint64_t drafts = 2 * (turn_.size() + 2 + bytes / draft_bytes_max_);
    return local().admit(turn_bytes_ + bytes + drafts * (entry_header_bytes + entry_alignment),
                         urgency);
}

/// Returns the group, which is about to be changed.
NodeLogCore::LiveGroup& NodeLogCore::group_for(GroupId id) {
    const auto [found, made] = groups_.try_emplace(id);
    if (made) found->second.snapshot = snapshots_;  // A snapshot under way does not include it.
    freeze(id, found->second);
    return found->second;
}

/// The draft for the next records. Records of `bytes` in total go into one draft if it can hold
/// them.
NodeLogCore::Building& NodeLogCore::draft_for(std::uint64_t bytes) {
    const bool full = turn_.empty() || (!turn_.back().body.empty() &&
                                        turn_.back().body.size() + bytes > draft_bytes_max_);
    if (full) turn_.emplace_back();
    Buffer& body = turn_.back().body;
    if (body.empty()) body.reserve(static_cast<std::size_t>(std::min(bytes, draft_bytes_max_)));
    return turn_.back();
}

void NodeLogCore::append(GroupId id, LiveGroup& group, GroupEntry entry) {
    Building& draft = draft_for(record_overhead_max + entry.body.size());
    const Index index = group.index.last().next();
    const NodeRecord record{
        .what = RecordWhat::entry,
        .group = id,
        .index = index,
        .term = entry.term,
        .kind = entry.kind,
        .checksum = entry_checksum(id, index, entry.term, entry.kind, entry.body),
        .body = entry.body};
    const std::size_t before = draft.body.size();
    const std::size_t at = encode(record, draft.body);
    turn_bytes_ += draft.body.size() - before;
    const IndexedEntry indexed{.term = entry.term,
                               .segment = 0,
                               .offset = ++appended_,
                               .body_bytes = static_cast<std::uint32_t>(entry.body.size()),
                               .checksum = record.checksum,
                               .kind = entry.kind};
    group.index.entries.push_back(indexed);
    draft.entries.push_back(
        {.group = id, .index = index, .offset = static_cast<std::uint32_t>(at), .before = indexed});
    ++draft.added;
    cache_.add(id, index, std::move(entry));
}

void NodeLogCore::note(const NodeRecord& record) {
    Buffer& body = turn_.back().body;
    const std::size_t before = body.size();
    encode(record, body);
    turn_bytes_ += body.size() - before;
}

/// Something has been written. Returns its position, and has it handed over at the end of the turn.
LogPosition NodeLogCore::turn() {
    if (!hand_over_.marked()) {
        hand_over_.mark();
        written_ = written_.next();
    }
    return written_;
}

void NodeLogCore::hand_over() {
    hand_over_.unmark();
    if (turn_.empty()) return;
    std::vector<Building> drafts = std::exchange(turn_, {});
    bytes_written_ += std::exchange(turn_bytes_, 0);
    for (std::size_t i = 0; i < drafts.size(); ++i) {
        Building& draft = drafts[i];
        under_way_.push_back({.entries = std::move(draft.entries), .added = draft.added});
        std::vector<Draft> one(1);
        one.front().body = std::move(draft.body);
        Journal::Appended done;
        if (i + 1 == drafts.size()) {
            done = [this, position = written_](const Result<Index>& result) {
                handed_over(position, result);
            };
        }
        local().append_admitted(std::move(one), std::move(done));
    }
    const bool full = space() == Space::reserve_only && trimmed_;
    if (bytes_written_ >= snapshot_due_ || full) begin_snapshot();
}

void NodeLogCore::handed_over(LogPosition position, const Result<Index>& result) {
    if (!result) return;  // The journal failed, which failed() reports, or is being closed.
    US_ASSERT(position > durable_);
    durable_ = position;
    if (snapshot_ && snapshot_->position == position) write_snapshot();
    if (cleaning_ && cleaning_->written == position) later([this] { clean(); });
    if (on_opened_) return end_opening({});
    observer_.durable(position);
}

/// A draft is durable. Now the places of its entries are known.
void NodeLogCore::place(const Entry& entry) {
    US_ASSERT(!under_way_.empty());
    const UnderWay draft = std::move(under_way_.front());
    under_way_.pop_front();
    for (const Unplaced& one : draft.entries) {
        const auto settle = [&](GroupIndex& group) {
            // The entry may have been cut meanwhile, and another entry may have its index.
            IndexedEntry* const found = group.find(one.index);
            if (found == nullptr || !found->lies_where(one.before)) return;
            found->segment = newest_segment_;
            found->offset = static_cast<std::uint32_t>(entry.place.offset + one.offset);
        };
        const auto live = groups_.find(one.group);
        if (live != groups_.end()) settle(live->second.index);
        if (!snapshot_) continue;
        const auto frozen = snapshot_->frozen.find(one.group);
        if (frozen != snapshot_->frozen.end()) settle(frozen->second);
    }
    cache_.durable(draft.added);
}

}  // namespace understudy::journal
