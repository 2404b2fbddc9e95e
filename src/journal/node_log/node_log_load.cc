// Reads bodies that are only on the disk: for groups that ask for them, and for cleaning.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "journal/node_log/node_log_core.h"
#include "journal/node_log/node_log_later.h"

namespace understudy::journal {

namespace {

// Limits of one step of cleaning: entries that it looks at, and bytes that it writes. A step is
// short enough for one turn.
constexpr std::size_t clean_entries_max = 4096;
constexpr std::uint64_t clean_bytes_max = 64 * KiB;

constexpr std::size_t segments_worth_cleaning = 4;

// After this time a read that found no descriptor is tried again.
constexpr Duration read_retry = 50ms;

Error gone(GroupId group, Index index) {
    return {.code = Errc::not_found,
            .detail = fmt::format("group {} has no entry {}", group.value, index.value)};
}

bool same_entry(const IndexedEntry* now, const IndexedEntry& then) {
    return now != nullptr && now->term == then.term && now->checksum == then.checksum;
}

}  // namespace

template <class Work>
void NodeLogCore::read_bodies(std::vector<WantedBody> wanted, Work done) {
    using Found = Result<std::vector<GroupEntry>>;
    auto shared = std::make_shared<const std::vector<WantedBody>>(std::move(wanted));
    auto found = std::make_shared<std::optional<Found>>();
    runtime_.worker("reader").submit(
        [reader = reader_, shared, found] { found->emplace(reader->read(*shared)); },
        life_.guarded(
            [shared, found, done = std::move(done)] { done(*shared, std::move(**found)); }));
}

void NodeLogCore::load(GroupId id, Index from, std::size_t count, std::size_t bytes_max,
                       Read done) {
    const auto answer = [&](Result<std::vector<GroupEntry>> result) {
        later([done = std::move(done), result = std::move(result)] { done(result); });
    };
    if (closing_) return answer(Error{.code = Errc::closed, .detail = "the node's log is closed"});
    const GroupIndex* const group = find(id);
    if (count == 0 || group == nullptr || group->find(from) == nullptr) {
        return answer(gone(id, from));
    }
    auto here = cache_.read(id, from, count, bytes_max);
    if (!here.empty()) return answer(std::move(here));

    const Index end = cache_.first(id).value_or(group->last().next());
    std::vector<WantedBody> wanted;
    std::uint64_t bytes = 0;
    for (Index index = from; index < end && wanted.size() < count; index = index.next()) {
        const IndexedEntry& entry = *group->find(index);
        bytes += entry.body_bytes;
        if (!wanted.empty() && bytes > bytes_max) break;
        US_ASSERT(entry.placed());
        wanted.push_back({.group = id, .index = index, .entry = entry});
    }
    read_bodies(std::move(wanted), [this, bytes_max, done = std::move(done)](
                                       const auto& asked, Result<std::vector<GroupEntry>> found) {
        loaded(asked, std::move(found), bytes_max, done);
    });
}

/// The group may have changed during the read. The result counts as far as the entries are still
/// those of the group.
void NodeLogCore::loaded(const std::vector<WantedBody>& wanted,
                         Result<std::vector<GroupEntry>> found, std::size_t bytes_max,
                         const Read& done) {
    const WantedBody& first = wanted.front();
    if (closing_) return done(Error{.code = Errc::closed, .detail = "the node's log is closed"});
    const GroupIndex* const group = find(first.group);
    std::size_t valid = 0;
    bool moved = false;
    while (group != nullptr && valid < wanted.size()) {
        const IndexedEntry* const now = group->find(wanted[valid].index);
        if (!same_entry(now, wanted[valid].entry)) break;
        moved = moved || !now->lies_where(wanted[valid].entry);
        ++valid;
    }
    if (valid == 0) return done(gone(first.group, first.index));
    if (found) {
        found->resize(valid);
        return done(std::move(found));
    }
    // The segment may have been removed or reused, after its live entries had been written
    // elsewhere.
    if (moved || valid < wanted.size()) {
        return load(first.group, first.index, valid, bytes_max, done);
    }
    Error error = std::move(found).error();
    if (is_shortage(error.code)) {
        return load_later(error, [this, group = first.group, from = first.index, valid, bytes_max,
                                  done] { load(group, from, valid, bytes_max, done); });
    }
    if (error.code == Errc::no_such_file) error.code = Errc::corrupt;
    done(std::move(error));
}

/// A shortage is not reported to the caller, because the entries are not damaged.
void NodeLogCore::load_later(const Error& error, std::function<void()> again) {
    if (loads_short_.empty()) {
        log_.warn("node_log.read.stalled",
                  {kv("directory", options_.directory), kv("error", error)});
        load_timer_ = runtime_.at(runtime_.now() + read_retry, [this] {
            const auto waiting = std::exchange(loads_short_, {});
            for (const auto& load : waiting) load();
        });
    }
    loads_short_.push_back(std::move(again));
}

/// Starts to write the live entries of the oldest segments again, if that frees more space than it
/// takes.
void NodeLogCore::begin_cleaning(std::uint32_t oldest, std::uint64_t live_bytes) {
    const std::size_t count = local().segments().size();
    if (cleaning_ || oldest == 0 || count < segments_worth_cleaning) return;
    if (newest_segment_ - oldest < segments_worth_cleaning / 2) return;
    if (2 * live_bytes > (count - 2) * options_.segment_size_bytes) return;
    const std::uint32_t quarter = (newest_segment_ - oldest) / 4;
    cleaning_ = Cleaning{.below = oldest + std::max<std::uint32_t>(quarter, 1)};
    clean();
}

/// One step: finds live entries in these segments, and has them read.
void NodeLogCore::clean() {
    if (!cleaning_ || closing_) return;
    std::vector<WantedBody> wanted;
    std::size_t looked_at = 0;
    std::uint64_t bytes = 0;
    auto at = groups_.lower_bound(cleaning_->group);
    for (; at != groups_.end(); ++at) {
        const auto& [id, group] = *at;
        const bool resumed = id == cleaning_->group;
        Index index = resumed ? std::max(cleaning_->index, group.index.first) : group.index.first;
        const auto full = [&] {
            return looked_at >= clean_entries_max || bytes >= clean_bytes_max;
        };
        for (; index <= group.index.last() && !full(); index = index.next()) {
            const IndexedEntry& entry = *group.index.find(index);
            ++looked_at;
            if (!entry.placed() || entry.segment >= cleaning_->below) continue;
            wanted.push_back({.group = id, .index = index, .entry = entry});
            bytes += entry.body_bytes + record_overhead_max;
        }
        cleaning_->group = id;
        cleaning_->index = index;
        if (full()) break;
    }
    if (at == groups_.end() && wanted.empty()) return cleaning_.reset();
    if (wanted.empty()) return later([this] { clean(); });
    read_bodies(std::move(wanted),
                [this](const auto& asked, auto found) { rewrite(asked, std::move(found)); });
}

void NodeLogCore::rewrite(const std::vector<WantedBody>& wanted,
                          Result<std::vector<GroupEntry>> found) {
    if (!cleaning_ || closing_) return;
    std::uint64_t bytes = 0;
    for (const WantedBody& one : wanted) bytes += record_overhead_max + one.entry.body_bytes;
    Result<void> possible;
    if (!found) {
        possible = found.error();
    } else {
        possible = admit(bytes, Urgency::ordinary);
    }
    if (!possible) {
        // The entries and their segments stay. Cleaning is tried again after the next checkpoint.
        log_.warn("node_log.cleaning.failed",
                  {kv("directory", options_.directory), kv("error", possible.error())});
        return cleaning_.reset();
    }
    bool any = false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto& [id, index, then] = wanted[i];
        const GroupIndex* const group = find(id);
        const IndexedEntry* const now = group == nullptr ? nullptr : group->find(index);
        if (now == nullptr || !now->lies_where(then)) continue;
        Building& draft = draft_for(record_overhead_max + then.body_bytes);
        const std::size_t before = draft.body.size();
        const std::size_t at = encode({.what = RecordWhat::copy,
                                       .group = id,
                                       .index = index,
                                       .term = then.term,
                                       .kind = then.kind,
                                       .checksum = then.checksum,
                                       .body = (*found)[i].body},
                                      draft.body);
        turn_bytes_ += draft.body.size() - before;
        draft.entries.push_back({.group = id,
                                 .index = index,
                                 .offset = static_cast<std::uint32_t>(at),
                                 .before = then});
        any = true;
    }
    if (!any) return later([this] { clean(); });
    cleaning_->written = turn();
}

}  // namespace understudy::journal
