#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "journal/format/segment.h"
#include "journal/shared/shared_names.h"
#include "journal/walk/walk_node.h"
#include "journal/walk/walk_parts.h"

namespace understudy::journal {

namespace {

// How many bytes are read between two reports of progress.
constexpr std::uint64_t progress_bytes = 4 * MiB;

/// Goes through the segments of a local journal.
class LocalWalk {
public:
    LocalWalk(WalkParts& parts, const std::vector<std::string>& names)
        : parts_(parts), node_(parts) {
        for (const std::string& name : names) sort_out(name);
    }

    Result<void> run(WalkDepth depth);

private:
    struct Found {
        std::uint64_t generation = 0;
        bool begun = false;  ///< It was begun when the walk began.
    };

    void sort_out(const std::string& name);
    Result<void> ask_who_has_it();
    Result<std::optional<SegmentHeader>> header_of(std::uint64_t generation);
    Result<void> segment(std::size_t at);
    void unreadable_header(std::size_t at, WalkedSegment& segment);
    void check_reserve(std::size_t at, const WalkedSegment& segment);
    [[nodiscard]] Index first_needed() const;
    Result<void> join(std::size_t at, const SegmentHeader& header, WalkedSegment& segment);
    Result<void> short_segment(const SegmentHeader& header, const WalkedSegment& segment);
    Result<void> entries(std::size_t at, File& file, WalkedSegment& segment);
    Result<void> take(const DecodedEntry& found, const WalkedSegment& segment);
    void vouched(std::size_t at, Index durable);
    Result<Index> claimed_behind(std::size_t at, SegmentReader& reader,
                                 const WalkedSegment& segment, std::uint64_t& end);

    WalkParts& parts_;
    WalkNode node_;
    std::vector<Found> found_;
    std::vector<Index> checkpoints_;
    bool has_lock_ = false;
    bool has_identity_ = false;
    bool joined_ = false;  ///< chain_ says which entry must come next.
    Chain chain_;
    Index claimed_;
};

void LocalWalk::sort_out(const std::string& name) {
    Walked& out = parts_.out;
    if (const auto generation = parse_segment_name(name)) {
        if (found_.empty()) out.journal = journal_id(*generation);
        if (journal_id(*generation) != out.journal) {
            return parts_.damaged({}, name, 0, "it belongs to another journal");
        }
        found_.push_back({.generation = *generation});
    } else if (const auto at = parse_checkpoint_name(name)) {
        checkpoints_.push_back(*at);
    } else if (name == lock_name) {
        has_lock_ = true;
    } else if (name == identity_name) {
        has_identity_ = true;
    } else if (name.ends_with(temporary_suffix)) {
        out.temporaries.push_back(name);
    } else {
        out.foreign.push_back(name);
    }
}

Result<void> LocalWalk::run(WalkDepth depth) {
    US_CHECK(ask_who_has_it());
    if (has_identity_) US_CHECK(parts_.read_identity());
    for (Found& found : found_) {
        const std::string path = parts_.path(segment_name(found.generation));
        const auto file = US_TRY(parts_.disk.open(path, Disk::Open::existing));
        parts_.total_bytes += US_TRY(file->size());
        found.begun = US_TRY(header_of(found.generation)).has_value();
    }
    for (const Index at : checkpoints_) {
        US_CHECK(parts_.read_checkpoint(at));
        claimed_ = std::max(claimed_, at);
    }
    parts_.visitor.begin(parts_.out);
    US_CHECK(node_.begin());
    for (std::size_t at = 0; at < found_.size(); ++at) US_CHECK(segment(at));

    Walked& out = parts_.out;
    const bool told = std::any_of(out.damages.begin(), out.damages.end(), [&](const Damage& one) {
        return one.entry == chain_.last.next();
    });
    if (joined_ && claimed_ > chain_.last && !told) {
        const bool none = out.segments.empty();
        parts_.damaged(chain_.last.next(), none ? std::string() : out.segments.back().name, 0,
                       fmt::format("entries up to {} were durable", claimed_.value));
    } else if (!joined_ && claimed_ > Index{} && out.damages.empty()) {
        parts_.damaged({1}, {}, 0, fmt::format("entries up to {} were durable, and no segment "
                                               "holds any", claimed_.value));
    }
    out.durable = claimed_;
    out.committed = claimed_;
    return node_.finish(depth);
}

Result<void> LocalWalk::ask_who_has_it() {
    if (!has_lock_) return {};
    const auto lock = US_TRY(parts_.disk.open(parts_.path(lock_name), Disk::Open::existing));
    const auto asked = lock->lock();
    if (!asked && asked.error().code != Errc::in_use) return asked;
    parts_.out.live = !asked;
    return {};
}

/// Reads the header as it is now; nullopt if the segment has not been begun.
Result<std::optional<SegmentHeader>> LocalWalk::header_of(std::uint64_t generation) {
    const std::string path = parts_.path(segment_name(generation));
    const auto file = US_TRY(parts_.disk.open(path, Disk::Open::existing));
    const std::uint64_t size = US_TRY(file->size());
    SegmentReader front(*file, std::min<std::uint64_t>(size, segment_header_bytes), generation);
    return front.header();
}

Result<void> LocalWalk::segment(std::size_t at) {
    const std::uint64_t generation = found_[at].generation;
    WalkedSegment segment{.name = segment_name(generation), .generation = generation};
    const auto file = US_TRY(parts_.disk.open(parts_.path(segment.name), Disk::Open::existing));
    segment.size_bytes = US_TRY(file->size());
    auto header = US_TRY(header_of(generation));
    if (!header) {
        SegmentReader reader(*file, segment.size_bytes, generation);
        const auto reserve = US_TRY(reader.reserve_header());
        const auto remains = US_TRY(reader.search(reserve ? segment_header_bytes : 0));
        const auto begun = [](const Found& found) { return found.begun; };
        const auto later = found_.begin() + static_cast<std::ptrdiff_t>(at) + 1;
        const bool was_begun =
            remains.claimed > chain_.last || std::any_of(later, found_.end(), begun);
        // The header may have been written just now.
        if (was_begun) header = US_TRY(header_of(generation));
        if (!header) {
            if (was_begun) {
                unreadable_header(at, segment);
            } else {
                segment.state = WalkedSegment::State::reserve;
                const bool untouched = reserve && remains.valid_end == segment_header_bytes;
                if (!untouched) parts_.stray(segment.name, 0, remains.valid_end);
                check_reserve(at, segment);
                if (reserve) vouched(at, reserve->durable);
            }
            parts_.read(segment.size_bytes);
        }
    }
    if (header) {
        US_CHECK(join(at, *header, segment));
        US_CHECK(entries(at, *file, segment));
    }
    parts_.out.segments.push_back(std::move(segment));
    return {};
}

/// Checks what is always true of a segment that is not begun, whenever a process or a host stopped.
void LocalWalk::check_reserve(std::size_t at, const WalkedSegment& segment) {
    const Index next = chain_.last.next();
    const std::uint64_t expected =
        at > 0 ? found_[at - 1].generation + 1 : first_generation(parts_.out.journal);
    if (found_[at].generation != expected) {
        parts_.damaged(next, segment_name(expected), 0,
                       fmt::format("it is missing, and {} was made after it", segment.name));
    } else if (!is_segment_length(segment.size_bytes)) {
        parts_.damaged(next, segment.name, 0, lost_length(segment.size_bytes));
    } else if (at == 1 && !joined_ && !found_[0].begun) {
        // The first segment of a new journal is begun before the second one is made.
        parts_.damaged({1}, segment_name(found_[0].generation), 0,
                       "the header of the segment is unreadable");
    }
}

/// A reserve says that entries up to `durable` were durable when it was made. If they are missing,
/// they were in the segment before it.
void LocalWalk::vouched(std::size_t at, Index durable) {
    const bool lost = durable > chain_.last && durable > claimed_;
    claimed_ = std::max(claimed_, durable);
    if (!lost || at == 0 || found_[at].generation != found_[at - 1].generation + 1) return;
    parts_.damaged(chain_.last.next(), segment_name(found_[at - 1].generation), 0,
                   fmt::format("entries up to {} were durable", durable.value));
}

/// The first entry after the older of the two newest checkpoints; 1 if there are fewer than two.
Index LocalWalk::first_needed() const {
    return checkpoints_.size() < 2 ? Index{1} : checkpoints_[checkpoints_.size() - 2].next();
}

void LocalWalk::unreadable_header(std::size_t at, WalkedSegment& segment) {
    const bool known = joined_ || at == 0;
    parts_.damaged(known ? chain_.last.next() : Index{}, segment.name, 0,
                   "the header of the segment is unreadable");
    parts_.interrupt();
    // The next header need not follow what was read before it.
    joined_ = false;
}

/// Checks whether the segment follows what was read. If it does not, the walk goes on with it
/// nevertheless.
Result<void> LocalWalk::join(std::size_t at, const SegmentHeader& header,
                             WalkedSegment& segment) {
    segment.first = header.first;
    segment.reused = header.reused;
    segment.used_bytes = segment_header_bytes;
    const bool gap = at > 0 && found_[at].generation != found_[at - 1].generation + 1;
    if (gap) {
        // After a power cut, any of the removed segments that are no longer needed may be there
        // again.
        if (header.first > first_needed()) {
            parts_.damaged(chain_.last.next(), segment_name(found_[at].generation - 1), 0,
                           fmt::format("it is missing, and {} was made after it", segment.name));
        }
    } else if (joined_ && header.first < chain_.last.next()) {
        parts_.damaged(header.first, segment.name, 0, "the segment begins before it should");
    } else if (joined_ && header.first == chain_.last.next() &&
               header.previous != chain_.checksum) {
        parts_.damaged(header.first, segment.name, 0,
                       "the segment does not follow what is before it");
    }
    if (header.size_bytes != segment.size_bytes) {
        US_CHECK(short_segment(header, segment));
    }
    const bool follows = joined_ && header.first == chain_.last.next() &&
                         header.previous == chain_.checksum;
    if (!follows) {
        if (at > 0) parts_.interrupt();
        if (at == 0) {
            parts_.take_gone({header.first.value - 1}, header.previous, segment.name);
        }
        chain_ = {.last = {header.first.value - 1}, .epoch = {}, .checksum = header.previous};
        joined_ = true;
    }
    claimed_ = std::max(claimed_, chain_.last);
    return {};
}

Result<void> LocalWalk::short_segment(const SegmentHeader& header, const WalkedSegment& segment) {
    const auto file = US_TRY(parts_.disk.open(parts_.path(segment.name), Disk::Open::existing));
    return parts_.short_segment(*file, header, segment, segment_header_bytes);
}

Result<void> LocalWalk::entries(std::size_t at, File& file, WalkedSegment& segment) {
    std::optional<SegmentReader> reader;
    reader.emplace(file, segment.size_bytes, segment.generation);
    std::uint64_t told = 0;
    std::uint64_t looked_again_at = 0;
    for (;;) {
        const auto found = US_TRY(reader->entry_at(segment.used_bytes));
        if (found && chain_.accepts(found->header)) {
            US_CHECK(take(*found, segment));
            segment.last = chain_.last;
            segment.used_bytes += found->header.encoded_bytes();
            if (segment.used_bytes - told >= progress_bytes) {
                parts_.read(segment.used_bytes - told);
                told = segment.used_bytes;
            }
            continue;
        }
        std::uint64_t end = segment.used_bytes;
        const Index behind = US_TRY(claimed_behind(at, *reader, segment, end));
        claimed_ = std::max(claimed_, behind);
        if (behind <= chain_.last) {
            parts_.stray(segment.name, segment.used_bytes, end);
            break;
        }
        // The entry may have been written after it was read: the data that says that it is durable
        // was written later.
        if (looked_again_at != segment.used_bytes) {
            looked_again_at = segment.used_bytes;
            reader.emplace(file, segment.size_bytes, segment.generation);
            continue;
        }
        // The file may be another segment by now. Then this segment is not needed any more.
        US_CHECK(parts_.disk.open(parts_.path(segment.name), Disk::Open::existing));
        const Buffer raw = US_TRY(reader->copy(segment.used_bytes, entry_header_bytes));
        const auto header = decode_header(raw, checksum_seed(segment.generation));
        const bool body_only =
            header && chain_.accepts(*header) &&
            segment.used_bytes + header->encoded_bytes() <= segment.size_bytes;
        parts_.damaged(chain_.last.next(), segment.name, segment.used_bytes,
                       body_only ? "its body"
                       : header  ? "another entry stands there"
                                 : "its header");
        parts_.interrupt();
        if (!body_only) {
            joined_ = false;
            claimed_ = std::max(claimed_, chain_.last);
            break;
        }
        chain_.advance(*header);  // The next entry follows from its header.
        segment.last = chain_.last;
        segment.used_bytes += header->encoded_bytes();
    }
    parts_.read(segment.size_bytes - told);
    return {};
}

/// The highest index that data after the last readable entry of the segment says was durable.
Result<Index> LocalWalk::claimed_behind(std::size_t at, SegmentReader& reader,
                                        const WalkedSegment& segment, std::uint64_t& end) {
    const auto remains = US_TRY(reader.search(segment.used_bytes));
    end = segment.reused ? remains.valid_end : remains.end;
    Index claimed = remains.claimed;
    const std::uint64_t next = segment.generation + 1;
    if (at + 1 < found_.size() && found_[at + 1].generation == next) {
        if (const auto header = US_TRY(header_of(next))) {
            claimed = std::max(claimed, Index{header->first.value - 1});
        }
    }
    return claimed;
}

Result<void> LocalWalk::take(const DecodedEntry& found, const WalkedSegment& segment) {
    const EntryHeader& header = found.header;
    const std::uint64_t body_at = segment.used_bytes + entry_header_bytes;
    chain_.advance(header);
    claimed_ = std::max(claimed_, header.link.synced);
    const Entry entry{.index = header.index,
                      .epoch = header.epoch,
                      .type = header.type,
                      .body = found.body,
                      .place = {.generation = segment.generation, .offset = body_at}};
    node_.take(entry, segment.name, body_at);
    return parts_.take(entry, header.checksum, segment.name, segment.used_bytes);
}

}  // namespace

Result<void> walk_local(WalkParts& parts, const std::vector<std::string>& names,
                        WalkDepth depth) {
    return LocalWalk(parts, names).run(depth);
}

}  // namespace understudy::journal
