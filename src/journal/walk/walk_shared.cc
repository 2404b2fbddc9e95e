#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "journal/format/segment.h"
#include "journal/shared/shared_cursor.h"
#include "journal/shared/shared_names.h"
#include "journal/walk/walk_parts.h"

namespace understudy::journal {

namespace {

/// Goes through a shared journal, by the rules that its readers follow.
class SharedWalk {
public:
    SharedWalk(WalkParts& parts, const std::vector<std::string>& names);

    Result<void> run();

private:
    /// A segment from which entries can be read, whatever is before it.
    struct Anchor {
        std::size_t part = 0;
        std::uint64_t generation = 0;
        Index first;
        friend auto operator<=>(const Anchor&, const Anchor&) = default;
    };

    Result<void> read_epoch_and_claims();
    Result<void> read_claim(Epoch epoch);
    Result<void> list_segments();
    Result<void> check_names();
    Result<void> look_at_segment(Epoch epoch, std::uint64_t generation);
    Result<Index> first_wanted();
    Result<void> follow();
    Result<void> anchor(const std::vector<SharedPart>& found);
    Result<void> check_length(const WalkedSegment& segment);
    void check_numbers(const SharedPart& part);
    Result<void> entries(SharedCursor& cursor);
    Result<bool> go_on_behind(SharedCursor& cursor, const Error& error);
    Result<void> take(const SharedCursor& cursor, const SharedCursor::Found& found);
    Result<void> end_of(const SharedCursor& cursor);
    WalkedSegment* segment_of(std::uint64_t generation);

    WalkParts& parts_;
    const std::vector<std::string>& all_;
    const SharedNames names_;
    std::map<Epoch, Seal> seals_;
    std::set<Epoch> unsealed_;                   ///< Epochs whose seal is unreadable.
    std::map<std::uint64_t, std::size_t> known_;  ///< Generation to the position in out.segments.
    std::vector<Anchor> anchors_;
};

SharedWalk::SharedWalk(WalkParts& parts, const std::vector<std::string>& names)
    : parts_(parts), all_(names), names_(SharedNames::of(names)) {
    Walked& out = parts_.out;
    out.spares = names_.spares;
    out.temporaries = names_.temporaries;
    std::set<std::string> ours{std::string(epoch_name), std::string(checkpoint_lock_name),
                               std::string(identity_name)};
    for (const auto& [epoch, generations] : names_.segments) {
        for (const std::uint64_t generation : generations) {
            ours.insert(shared_segment_name(epoch, generation));
        }
    }
    for (const Epoch epoch : names_.claims) ours.insert(claim_name(epoch));
    for (const Index at : names_.checkpoints) ours.insert(checkpoint_name(at));
    ours.insert(names_.spares.begin(), names_.spares.end());
    ours.insert(names_.temporaries.begin(), names_.temporaries.end());
    std::copy_if(all_.begin(), all_.end(), std::back_inserter(out.foreign),
                 [&](const std::string& name) { return !ours.contains(name); });
}

Result<void> SharedWalk::run() {
    if (std::find(all_.begin(), all_.end(), identity_name) != all_.end()) {
        US_CHECK(parts_.read_identity());
    }
    US_CHECK(read_epoch_and_claims());
    US_CHECK(list_segments());
    US_CHECK(check_names());
    for (auto at = names_.checkpoints.rbegin(); at != names_.checkpoints.rend(); ++at) {
        US_CHECK(parts_.read_checkpoint(*at));
        parts_.out.durable = std::max(parts_.out.durable, *at);
    }
    parts_.visitor.begin(parts_.out);
    if (!names_.segments.empty()) US_CHECK(follow());
    Walked& out = parts_.out;
    if (out.durable > out.last && out.damages.empty()) {
        parts_.damaged(out.last.next(), {}, 0,
                       fmt::format("entries up to {} were durable", out.durable.value));
    }
    return {};
}

Result<void> SharedWalk::read_epoch_and_claims() {
    auto published = read_epoch(parts_.disk, parts_.directory);
    if (published) {
        parts_.out.published = *std::move(published);
    } else if (published.error().code == Errc::corrupt) {
        parts_.damaged({}, std::string(epoch_name), 0, published.error().detail);
    } else {
        return std::move(published).error();
    }
    for (const Epoch epoch : names_.claims) US_CHECK(read_claim(epoch));
    return {};
}

/// The member that made a claim may have died before it wrote the content. Such a claim only says
/// that the epoch is taken.
Result<void> SharedWalk::read_claim(Epoch epoch) {
    WalkedClaim claim{.name = claim_name(epoch), .epoch = epoch};
    const auto file = US_TRY(parts_.disk.open(parts_.path(claim.name), Disk::Open::existing));
    const auto asked = file->lock();
    if (!asked && asked.error().code != Errc::in_use) return asked;
    claim.held = !asked;
    parts_.out.live = parts_.out.live || claim.held;
    const std::uint64_t size = US_TRY(file->size());
    Buffer raw(std::min<std::size_t>(static_cast<std::size_t>(size),
                                     epoch_record_bytes + sizeof claim.stamp));
    US_CHECK(file->read_at(0, raw));
    const bool written =
        std::any_of(raw.begin(), raw.end(), [](std::byte b) { return b != std::byte{}; });
    if (written && raw.size() >= epoch_record_bytes) {
        auto record = decode_epoch_record(raw);
        if (record && record->epoch == epoch) {
            claim.record = *std::move(record);
            if (raw.size() == epoch_record_bytes + sizeof claim.stamp) {
                std::memcpy(&claim.stamp, raw.data() + stamp_offset, sizeof claim.stamp);
            }
        } else if (record) {
            parts_.damaged({}, claim.name, 0, "it claims another epoch than its name says");
        } else if (record.error().code == Errc::corrupt) {
            // If nothing shows that the claim was synced, its first write was torn. That is no
            // damage.
            const bool synced = names_.segments.contains(epoch) ||
                                (parts_.out.published && parts_.out.published->epoch == epoch);
            if (synced) parts_.damaged({}, claim.name, 0, record.error().detail);
        } else {
            return std::move(record).error();
        }
    }
    parts_.out.claims.push_back(std::move(claim));
    return {};
}

Result<void> SharedWalk::list_segments() {
    for (const auto& [epoch, generations] : names_.segments) {
        for (const std::uint64_t generation : generations) {
            US_CHECK(look_at_segment(epoch, generation));
        }
    }
    return {};
}

/// Checks which files must exist together, whenever a process or a host stopped.
Result<void> SharedWalk::check_names() {
    Walked& out = parts_.out;
    const bool unreadable = std::any_of(out.damages.begin(), out.damages.end(),
                                        [](const auto& one) { return one.file == epoch_name; });
    if (!out.published && !unreadable && !names_.segments.empty()) {
        // This file is made before the first segment has its name, and is never removed.
        parts_.damaged({}, std::string(epoch_name), 0,
                       fmt::format("it is missing, and segments of epoch {} are there",
                                   names_.head().value));
    }
    auto lost = US_TRY(find_lost_segment(parts_.disk, parts_.directory, names_));
    if (lost && out.live) {  // It may have been begun and removed since the names were listed.
        const SharedNames now = SharedNames::of(US_TRY(parts_.disk.list(parts_.directory)));
        lost = US_TRY(find_lost_segment(parts_.disk, parts_.directory, now));
    }
    if (lost) {
        parts_.damaged(lost->entry, shared_segment_name(lost->epoch, lost->generation), 0,
                       lost->why);
    }
    return {};
}

Result<void> SharedWalk::look_at_segment(Epoch epoch, std::uint64_t generation) {
    WalkedSegment segment{.name = shared_segment_name(epoch, generation),
                          .epoch = epoch,
                          .generation = generation,
                          .state = WalkedSegment::State::superseded};
    const auto file = US_TRY(parts_.disk.open(parts_.path(segment.name), Disk::Open::existing));
    segment.size_bytes = US_TRY(file->size());
    parts_.total_bytes += segment.size_bytes;
    if (const auto header =
            US_TRY(read_shared_header(parts_.disk, parts_.directory, epoch, generation))) {
        segment.first = header->first;
        segment.used_bytes = segment_header_bytes;
    }
    if (segment_count(generation) == 1) {
        Buffer raw(seal_bytes);
        std::optional<Seal> seal;
        if (segment.size_bytes >= segment_header_bytes + seal_bytes) {
            US_CHECK(file->read_at(segment_header_bytes, raw));
            seal = US_TRY(decode_seal(raw, checksum_seed(generation)));
        }
        if (seal && seal->epoch == epoch) {
            seals_.emplace(epoch, *seal);
        } else {
            unsealed_.insert(epoch);
        }
    }
    known_.emplace(generation, parts_.out.segments.size());
    parts_.out.segments.push_back(std::move(segment));
    return {};
}

/// The first entry that can be reported: the first of all, unless a seal between it and the newest
/// epoch is unreadable. 0: the seal of the newest epoch is unreadable.
Result<Index> SharedWalk::first_wanted() {
    Index wanted{1};
    for (Epoch epoch = names_.head(); epoch != Epoch{};) {
        if (unsealed_.contains(epoch)) {
            const auto& generations = names_.segments.at(epoch);
            const bool newest = epoch == names_.head();
            parts_.damaged(newest ? Index{} : wanted,
                           shared_segment_name(epoch, generations.front()), segment_header_bytes,
                           "the seal is unreadable");
            return newest ? Index{} : wanted.next();
        }
        const auto seal = seals_.find(epoch);
        if (seal == seals_.end()) break;
        if (seal->second.old >= epoch) {
            parts_.damaged({}, shared_segment_name(epoch, names_.segments.at(epoch).front()),
                           segment_header_bytes, "the seal names no epoch before its own");
            return Index{};
        }
        wanted = seal->second.at;
        epoch = seal->second.old;
        if (!names_.segments.contains(epoch)) break;
    }
    return Index{1};
}

Result<void> SharedWalk::follow() {
    const Index wanted = US_TRY(first_wanted());
    if (wanted == Index{}) return {};
    auto found = read_parts(parts_.disk, parts_.directory, names_, wanted);
    if (!found) {
        if (found.error().code != Errc::corrupt) return std::move(found).error();
        parts_.damaged({}, {}, 0, found.error().detail);
        return {};
    }
    if (found->empty()) return {};
    US_CHECK(anchor(*found));
    if (anchors_.empty()) return {};
    SharedCursor cursor(parts_.disk, parts_.directory, *std::move(found));
    auto placed = cursor.seek(anchors_.front().first);
    if (!placed && placed.error().code != Errc::corrupt) return std::move(placed).error();
    if (!placed) {
        parts_.damaged({}, {}, 0, placed.error().detail);
        return {};
    }
    return entries(cursor);
}

/// Finds which segments count, and from which of them entries can be read.
Result<void> SharedWalk::anchor(const std::vector<SharedPart>& found) {
    for (std::size_t at = 0; at < found.size(); ++at) {
        const SharedPart& part = found[at];
        if (part.seal) {
            parts_.out.seals.push_back(*part.seal);
            parts_.out.journal = part.seal->journal;
        }
        if (!part.next) check_numbers(part);
        bool begun_behind = false;
        for (auto it = part.generations.rbegin(); it != part.generations.rend(); ++it) {
            WalkedSegment& segment = *segment_of(*it);
            const bool begun = segment.first != Index{};
            segment.state =
                begun ? WalkedSegment::State::begun : WalkedSegment::State::reserve;
            if (begun) {
                US_CHECK(check_length(segment));
                anchors_.push_back({.part = at, .generation = *it, .first = segment.first});
            } else if (begun_behind || segment_count(*it) == 1) {
                parts_.damaged({}, segment.name, 0, "the header of the segment is unreadable");
            } else if (!is_segment_length(segment.size_bytes)) {
                parts_.damaged({}, segment.name, 0, lost_length(segment.size_bytes));
            }
            begun_behind = begun_behind || begun;
        }
    }
    std::sort(anchors_.begin(), anchors_.end());
    return {};
}

/// A segment has its full length from the moment it has its name.
Result<void> SharedWalk::check_length(const WalkedSegment& segment) {
    const auto file = US_TRY(parts_.disk.open(parts_.path(segment.name), Disk::Open::existing));
    SegmentReader reader(*file, segment.size_bytes, segment.generation);
    const auto header = US_TRY(reader.header());
    if (!header || header->size_bytes == segment.size_bytes) return {};
    const bool sealed = segment_count(segment.generation) == 1;
    return parts_.short_segment(*file, *header, segment,
                                segment_header_bytes + (sealed ? seal_bytes : 0));
}

/// For the newest epoch: a segment is made only after the one before it has its name, so its
/// numbers have no gap.
void SharedWalk::check_numbers(const SharedPart& part) {
    const Index needed = names_.checkpoints.size() < 2 ? Index{1} : names_.checkpoints[1].next();
    for (std::size_t i = 1; i < part.generations.size(); ++i) {
        const std::uint64_t before = part.generations[i - 1];
        const WalkedSegment& segment = *segment_of(part.generations[i]);
        if (segment.generation == before + 1) continue;
        // After a power cut, any of the removed segments that are no longer needed may be there
        // again.
        if (segment.first != Index{} && segment.first <= needed) continue;
        parts_.damaged({}, shared_segment_name(part.epoch, segment.generation - 1), 0,
                       fmt::format("it is missing, and {} was made after it", segment.name));
    }
}

Result<void> SharedWalk::entries(SharedCursor& cursor) {
    Index looked_again_behind;
    for (;;) {
        const auto found = cursor.next();
        if (!found) {
            if (!US_TRY(go_on_behind(cursor, found.error()))) break;
            continue;
        }
        if (*found) {
            US_CHECK(take(cursor, **found));
            continue;
        }
        const auto judged = cursor.judge();
        if (judged) break;
        // The entry may have been written while the bytes after it were searched.
        const Index last = cursor.position().chain.last;
        if (judged.error().code == Errc::corrupt && looked_again_behind != last.next()) {
            looked_again_behind = last.next();
            cursor.reopen();
            continue;
        }
        if (!US_TRY(go_on_behind(cursor, judged.error()))) break;
    }
    return end_of(cursor);
}

/// Notes damage, and goes to the next segment from which entries can be read. Returns false if none
/// is left.
Result<bool> SharedWalk::go_on_behind(SharedCursor& cursor, const Error& error) {
    if (error.code != Errc::corrupt) return error;
    const SharedCursor::Position at = cursor.position();
    const SharedPart& part = cursor.parts()[at.part];
    const std::string file = shared_segment_name(part.epoch, at.generation);
    const std::string prefix = hex16(part.epoch.value) + "-";
    auto& known = parts_.out.damages;
    const auto noted = std::find_if(known.begin(), known.end(), [&](const Damage& one) {
        // Damage of its header or its seal.
        const bool of_it = one.file == file && one.offset < at.offset;
        const bool of_later = !part.next && one.file > file && one.file.starts_with(prefix);
        return of_it || of_later;
    });
    if (noted != known.end()) {
        if (noted->entry == Index{}) noted->entry = at.chain.last.next();
    } else {
        parts_.damaged(at.chain.last.next(), file, at.offset, error.detail);
    }
    parts_.interrupt();
    for (const Anchor& anchor : anchors_) {
        if (std::pair(anchor.part, anchor.generation) <= std::pair(at.part, at.generation)) {
            continue;
        }
        const auto placed = cursor.seek(anchor.first);
        if (!placed && placed.error().code != Errc::corrupt) return placed.error();
        const SharedCursor::Position now = cursor.position();
        if (placed && *placed &&
            std::pair(now.part, now.generation) > std::pair(at.part, at.generation)) {
            return true;
        }
    }
    return false;
}

Result<void> SharedWalk::take(const SharedCursor& cursor, const SharedCursor::Found& found) {
    const SharedCursor::Position& behind = cursor.position();
    const EntryHeader& header = found.header;
    WalkedSegment& segment = *segment_of(behind.generation);
    const std::uint64_t offset = behind.offset - header.encoded_bytes();
    segment.last = header.index;
    segment.used_bytes = behind.offset;
    parts_.read(header.encoded_bytes());
    const Entry entry{
        .index = header.index,
        .epoch = header.epoch,
        .type = header.type,
        .body = found.body,
        .place = {.generation = behind.generation, .offset = offset + entry_header_bytes}};
    return parts_.take(entry, content_checksum(entry), segment.name, offset);
}

/// Notes the bytes after the last entry: a write that is in progress or was never finished.
Result<void> SharedWalk::end_of(const SharedCursor& cursor) {
    Walked& out = parts_.out;
    out.durable = std::max(out.durable, cursor.durable());
    out.committed = cursor.committed();
    WalkedSegment& segment = *segment_of(cursor.position().generation);
    if (segment.used_bytes == 0) return {};
    const auto file = US_TRY(parts_.disk.open(parts_.path(segment.name), Disk::Open::existing));
    SegmentReader reader(*file, US_TRY(file->size()), segment.generation);
    const auto remains = US_TRY(reader.search(cursor.position().offset));
    parts_.stray(segment.name, cursor.position().offset, remains.end);
    return {};
}

WalkedSegment* SharedWalk::segment_of(std::uint64_t generation) {
    const auto found = known_.find(generation);
    US_ASSERT(found != known_.end());
    return &parts_.out.segments[found->second];
}

}  // namespace

Result<void> walk_shared(WalkParts& parts, const std::vector<std::string>& names) {
    return SharedWalk(parts, names).run();
}

}  // namespace understudy::journal
