#include "journal/local/recovery.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/plant.h"
#include "journal/format/short_segment.h"
#include "journal/format/whole_file.h"

namespace understudy::journal {

namespace {

std::optional<std::string> parent_of(const std::string& path) {
    const std::size_t end = path.find_last_not_of('/');
    if (end == std::string::npos || path == ".") return std::nullopt;
    const std::size_t slash = path.find_last_of('/', end);
    if (slash == std::string::npos) return ".";
    const std::size_t last = path.find_last_not_of('/', slash);
    return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

}  // namespace

Recovery::Recovery(Disk& disk, Options options) : disk_(disk), options_(std::move(options)) {
    US_ASSERT(options_.journal != 0);
}

Result<void> Recovery::begin() {
    out_.hold = US_TRY(DirectoryHold::take(disk_, options_.directory,
                                           DirectoryHold::Access::exclusive, options_.identities,
                                           options_.journal));
    US_CHECK(list());
    US_CHECK(find_checkpoint());
    return choose_start();
}

Result<std::optional<CheckpointReader::Slice>> Recovery::state() {
    std::optional<CheckpointReader::Slice> slice;
    if (!state_) return slice;
    slice = US_TRY(state_->next());
    if (slice->last) state_.reset();
    return slice;
}

Result<void> Recovery::list() {
    for (const std::string& name : US_TRY(disk_.list(options_.directory))) {
        if (const auto generation = parse_segment_name(name)) {
            US_CHECK(look_at_segment(*generation));
        } else if (const auto at = parse_checkpoint_name(name)) {
            checkpoint_names_.insert(checkpoint_names_.begin(), *at);
        } else if (name.ends_with(temporary_suffix)) {
            remove_later(name);
        }
    }
    return {};
}

Result<void> Recovery::look_at_segment(std::uint64_t generation) {
    if (!found_.empty() && journal_id(found_.front().generation) != journal_id(generation)) {
        return Error{.code = Errc::corrupt,
                     .detail = fmt::format("{} and {} belong to different journals",
                                           segment_name(found_.front().generation),
                                           segment_name(generation))};
    }
    auto file = US_TRY(disk_.open(path(segment_name(generation)), Disk::Open::existing));
    const std::uint64_t size = US_TRY(file->size());
    SegmentReader reader(*file, size, generation);
    const auto header = US_TRY(reader.header());
    found_.push_back(
        {.generation = generation, .size_bytes = size, .header = header, .remains = {}});
    return {};
}

/// Finds the newest checkpoint that can be read as a whole, among the two that are kept. Entries
/// after it are replayed.
Result<void> Recovery::find_checkpoint() {
    for (std::size_t i = 0; i < checkpoint_names_.size(); ++i) {
        const Index at = checkpoint_names_[i];
        if (i >= checkpoints_kept) {
            out_.leftovers.push_back(path(checkpoint_name(at)));
            continue;
        }
        if (checkpoint_) {
            out_.checkpoints.insert(out_.checkpoints.begin(), at);
            continue;
        }
        auto reader = CheckpointReader::open(disk_, options_.directory, at);
        const bool foreign =
            reader && !found_.empty() &&
            (*reader)->checkpoint().journal != journal_id(found_.front().generation);
        if (reader && !foreign) {
            state_ = *std::move(reader);
            checkpoint_ = state_->checkpoint();
            out_.checkpoints.push_back(at);
        } else if (foreign || reader.error().code == Errc::corrupt ||
                   reader.error().code == Errc::disk_failed) {
            if (!reader && reader.error().code == Errc::disk_failed) unreadable_ = reader.error();
            out_.damaged_checkpoints.push_back(at);
            out_.leftovers.push_back(path(checkpoint_name(at)));
        } else {
            return std::move(reader).error();
        }
    }
    // A checkpoint gets its name when it is durable, and what it holds was durable before it.
    if (!checkpoint_names_.empty()) claimed_ = checkpoint_names_.front();
    return {};
}

/// Chooses the first segment to be read, so that everything is read that a restart may need: the
/// entries after the older checkpoint if there are two, otherwise all entries.
Result<void> Recovery::choose_start() {
    const auto begun = [](const Found& found) { return found.header.has_value(); };
    const auto last_begun = std::find_if(found_.rbegin(), found_.rend(), begun).base();

    const auto segment_with = [&](Index wanted) {
        auto start = last_begun;
        for (auto it = found_.begin(); it != last_begun; ++it) {
            if (it->header && it->header->first <= wanted) start = it;
        }
        return start;
    };
    Index wanted{1};
    if (checkpoint_ && checkpoint_names_.size() >= checkpoints_kept) {
        wanted = std::min(checkpoint_names_[checkpoints_kept - 1], checkpoint_->at).next();
    }
    auto start = segment_with(wanted);
    if (start == last_begun && checkpoint_) {
        wanted = checkpoint_->at.next();
        start = segment_with(wanted);
    }
    const bool fresh = last_begun == found_.begin() && checkpoint_names_.empty();
    if (start == last_begun && !fresh) {
        // A checkpoint that could not be read may still be whole. The next opening may read it.
        if (unreadable_) return *unreadable_;
        return damage(wanted, "no segment that holds it is left");
    }

    for (auto it = found_.begin(); it != start; ++it) {
        if (options_.keeps_segments && it->whole()) {
            out_.segments.push_back({.generation = it->generation, .first = it->header->first});
        } else {
            out_.leftovers.push_back(path(segment_name(it->generation)));
        }
    }
    begun_.assign(start, last_begun);
    unbegun_.assign(last_begun, found_.end());
    if (!begun_.empty()) {
        chain_.last = {begun_.front().header->first.value - 1};
        chain_.checksum = begun_.front().header->previous;
    }
    return {};
}

Result<Recovery::Slice> Recovery::next() {
    Slice slice;
    while (reading_ < begun_.size() && slice.bodies.size() < replay_slice_bytes &&
           slice.entries.size() < replay_slice_entries) {
        if (!reader_) US_CHECK(open_segment());
        const bool found = US_TRY(read_entry(slice));
        if (!found) US_CHECK(leave_segment());
    }
    if (reading_ == begun_.size()) {
        US_CHECK(judge());
        slice.last = true;
    }
    return slice;
}

Result<void> Recovery::open_segment() {
    const Found& found = begun_[reading_];
    const std::string name = segment_name(found.generation);
    if (reading_ > 0 && found.generation != begun_[reading_ - 1].generation + 1) {
        return damage(chain_.last.next(), fmt::format("the segment before {} is missing", name));
    }
    if (!found.header && !is_segment_length(found.size_bytes)) {
        return damage(chain_.last.next(),
                      fmt::format("{}: {}", name, lost_length(found.size_bytes)));
    }
    if (!found.header) return damage(chain_.last.next(), fmt::format("the header of {}", name));
    if (found.header->first > chain_.last.next()) {
        return damage(chain_.last.next(), fmt::format("{} begins behind it", name));
    }
    if (found.header->first != chain_.last.next() || found.header->previous != chain_.checksum) {
        return damage(found.header->first,
                      fmt::format("{} does not follow what is before it", name));
    }
    US_CHECK(check_length(found));
    if (checkpoint_ && checkpoint_->at == chain_.last && checkpoint_->checksum != chain_.checksum) {
        return damage(checkpoint_->at, "it is not the one that the checkpoint is about");
    }
    file_ = US_TRY(disk_.open(path(name), Disk::Open::existing));
    reader_.emplace(*file_, found.size_bytes, found.generation);
    offset_ = segment_header_bytes;
    unproven_.clear();
    claimed_ = std::max(claimed_, chain_.last);
    return {};
}

/// Reads one entry. False if there is no valid one where it should be.
Result<bool> Recovery::read_entry(Slice& slice) {
    const auto found = US_TRY(reader_->entry_at(offset_));
    if (!found || !chain_.accepts(found->header)) return false;

    chain_.advance(found->header);
    claimed_ = std::max(claimed_, found->header.link.synced);
    unproven_.emplace_back(chain_.last, offset_);
    const Place place{.generation = begun_[reading_].generation,
                      .offset = offset_ + entry_header_bytes};
    while (!unproven_.empty() && unproven_.front().first <= claimed_) unproven_.pop_front();
    offset_ += found->header.encoded_bytes();

    if (checkpoint_ && chain_.last <= checkpoint_->at) {
        if (chain_.last < checkpoint_->at) return true;
        if (checkpoint_->checksum == chain_.checksum && checkpoint_->epoch == chain_.epoch)
            return true;
        return damage(chain_.last, "it is not the one that the checkpoint is about");
    }
    slice.entries.push_back(
        {.header = found->header, .body_offset = slice.bodies.size(), .place = place});
    slice.bodies.insert(slice.bodies.end(), found->body.begin(), found->body.end());
    return true;
}

Result<void> Recovery::leave_segment() {
    if (++reading_ < begun_.size()) {
        reader_.reset();
        file_.reset();
        return {};
    }
    const auto remains = US_TRY(reader_->search(offset_));
    claimed_ = std::max(claimed_, remains.claimed);
    garbage_end_ = begun_.back().header->reused ? remains.valid_end : remains.end;
    return {};
}

/// A segment has its full length from the moment it has its name.
Result<void> Recovery::check_length(const Found& found) const {
    const SegmentHeader& header = *found.header;
    if (header.size_bytes == found.size_bytes) return {};
    const std::string name = segment_name(found.generation);
    const auto file = US_TRY(disk_.open(path(name), Disk::Open::existing));
    const ShortSegment segment =
        US_TRY(look_at_short(*file, found.size_bytes, header, segment_header_bytes));
    if (segment.only_padding) return only_padding_missing(options_.directory, name, segment);
    return damage(segment.last.next(),
                  fmt::format("{} has {} bytes instead of {}", name, found.size_bytes,
                              header.size_bytes));
}

/// Decides whether the journal has a torn end or damage, by what is found after the last readable
/// entry.
Result<void> Recovery::judge() {
    US_CHECK(check_unbegun());
    for (Found& found : unbegun_) US_CHECK(ask_unbegun(found));
    if (chain_.last < claimed_) {
        if (planted(Plant::damage_cut)) return {};
        // After a segment that was never begun, no segment claims more than those before it do. So
        // if there is a second one here, the first was begun and has lost its content.
        const bool lost = begun_.empty() || unbegun_.size() > 1;
        const std::string name =
            segment_name((lost ? unbegun_.front() : begun_.back()).generation);
        return damage(chain_.last.next(), fmt::format("{} does not hold it, and entries up to {} "
                                                      "were durable",
                                                      name, claimed_.value));
    }
    return {};
}

/// Checks what always holds for segments that are not begun, whenever a process or a machine
/// stopped.
Result<void> Recovery::check_unbegun() const {
    if (unbegun_.empty()) return {};
    const Index next = chain_.last.next();
    // The name of a segment is durable before the next segment is made. A segment is removed only
    // after the next one has been begun. The first segment of a new journal is begun before there
    // is a second one.
    std::uint64_t expected = begun_.empty()
                                 ? first_generation(journal_id(unbegun_.front().generation))
                                 : begun_.back().generation + 1;
    for (const Found& found : unbegun_) {
        const std::string name = segment_name(found.generation);
        if (found.generation != expected) {
            return damage(next, fmt::format("{} is missing, and {} was made after it",
                                            segment_name(expected), name));
        }
        if (!is_segment_length(found.size_bytes)) {
            return damage(next, fmt::format("{}: {}", name, lost_length(found.size_bytes)));
        }
        ++expected;
    }
    if (begun_.empty() && unbegun_.size() > 1) {
        return damage(next, fmt::format("the header of {}, and {} was made after it",
                                        segment_name(unbegun_[0].generation),
                                        segment_name(unbegun_[1].generation)));
    }
    return {};
}

/// Reads what a segment that is not begun says about those before it, and what a torn write left in
/// it.
Result<void> Recovery::ask_unbegun(Found& found) {
    auto file = US_TRY(disk_.open(path(segment_name(found.generation)), Disk::Open::existing));
    SegmentReader reader(*file, found.size_bytes, found.generation);
    const auto reserve = US_TRY(reader.reserve_header());
    found.remains = US_TRY(reader.search(reserve ? segment_header_bytes : 0));
    claimed_ = std::max(claimed_, found.remains.claimed);
    if (!reserve) return {};
    claimed_ = std::max(claimed_, reserve->durable);
    // If nothing has been written after the reserve's header, the header is kept.
    const bool untouched = found.remains.valid_end == segment_header_bytes;
    if (untouched) found.remains.valid_end = 0;
    if (untouched && found.remains.end == segment_header_bytes) found.remains.end = 0;
    return {};
}

Result<Recovered> Recovery::finish() {
    US_ASSERT(reading_ == begun_.size());
    for (const Found& found : begun_) {
        out_.segments.push_back({.generation = found.generation, .first = found.header->first});
    }
    if (!begun_.empty()) US_CHECK(settle_tail());
    US_CHECK(settle_unbegun());
    US_CHECK(settle_names());
    US_CHECK(begin_tenure());
    return std::move(out_);
}

/// Makes durable what the tenure builds on.
///
/// What could be read may be in memory only. The process that wrote it may have ended before its
/// sync, or after a sync that failed and dropped the pages. So the part of which nothing says that
/// it was durable is written again, and the bytes of a torn write after it become zeros. Only then
/// does anything follow it.
Result<void> Recovery::settle_tail() {
    std::uint64_t from = unproven_.empty() ? offset_ : unproven_.front().second;
    if (from == segment_header_bytes) from = 0;  // The header was written with the first entry.
    if (from < offset_) {
        const Buffer kept = US_TRY(reader_->copy(from, offset_ - from));
        US_CHECK(file_->write_at(from, kept));
    }
    if (garbage_end_ > offset_) {
        out_.cut_bytes = garbage_end_ - offset_;
        US_CHECK(write_zeros(*file_, offset_, garbage_end_));
    }
    reader_.reset();
    US_CHECK(file_->sync());
    out_.segment = std::move(file_);
    out_.tail = {.generation = begun_.back().generation,
                 .segment_bytes = begun_.back().size_bytes,
                 .used_bytes = offset_,
                 .chain = chain_};
    return {};
}

/// Keeps the segment that comes next as the reserve, if it has the right length.
Result<void> Recovery::settle_unbegun() {
    for (const Found& found : unbegun_) {
        const std::string name = segment_name(found.generation);
        if (found.generation != next_generation()) {
            remove_later(name);
            continue;
        }
        if (found.size_bytes != options_.segment_bytes) continue;  // A new one will replace it.
        out_.reserve = US_TRY(disk_.open(path(name), Disk::Open::existing));
        // Its first write may have been torn. Everything else in it is of another generation.
        const std::uint64_t torn = found.remains.valid_end;
        out_.reserve_is_reused = found.remains.end > torn;
        if (torn > 0) {
            out_.cut_bytes += torn;
            US_CHECK(write_zeros(*out_.reserve, 0, torn));
            US_CHECK(out_.reserve->sync());
        }
    }
    return {};
}

/// Makes the names durable: of the files, and of a new journal's directory.
Result<void> Recovery::settle_names() {
    US_CHECK(disk_.sync_directory(options_.directory));
    if (!begun_.empty()) return {};
    for (auto up = parent_of(options_.directory); up; up = parent_of(*up)) {
        auto synced = disk_.sync_directory(*up);
        // A directory that this process may not open was not made by it.
        if (!synced && synced.error().code != Errc::not_permitted) return synced;
    }
    return {};
}

Result<void> Recovery::begin_tenure() {
    Tail& tail = out_.tail;
    Epoch epoch = chain_.epoch;
    if (checkpoint_) epoch = std::max(epoch, checkpoint_->epoch);
    const Entry tenure{
        .index = chain_.last.next(), .epoch = epoch.next(), .type = EntryType::tenure, .body = {}};
    Buffer bytes;
    std::uint64_t offset = tail.used_bytes;
    if (begun_.empty() || offset + entry_header_bytes > tail.segment_bytes) {
        tail.generation = next_generation();
        tail.segment_bytes = options_.segment_bytes;
        if (!out_.reserve) {
            auto made =
                make_segment(disk_, options_.directory, tail.generation, tail.segment_bytes,
                             chain_.last);
            if (!made) {
                Error error = std::move(made).error();
                error.detail = fmt::format("the journal in {} has no room to begin a tenure: {}",
                                           options_.directory, error.detail);
                return error;
            }
            out_.reserve = *std::move(made);
        }
        out_.segment = std::move(out_.reserve);
        out_.segments.push_back({.generation = tail.generation, .first = tenure.index});
        encode(SegmentHeader{.generation = tail.generation,
                             .size_bytes = tail.segment_bytes,
                             .first = tenure.index,
                             .previous = chain_.checksum,
                             .reused = std::exchange(out_.reserve_is_reused, false)},
               bytes);
        offset = 0;
    }
    const Link link{.previous = chain_.checksum, .synced = chain_.last};
    const std::uint32_t checksum = encode(tenure, link, checksum_seed(tail.generation), bytes);
    US_CHECK(out_.segment->write_at(offset, bytes));
    US_CHECK(out_.segment->sync());
    tail.used_bytes = offset + bytes.size();
    tail.chain = {.last = tenure.index, .epoch = tenure.epoch, .checksum = checksum};
    return {};
}

/// Removes a file that nothing needs, now or with the next checkpoint.
void Recovery::remove_later(std::string_view name) {
    const std::string whole = path(name);
    if (!disk_.remove(whole)) out_.leftovers.push_back(whole);
}

std::uint64_t Recovery::next_generation() const {
    if (!begun_.empty()) return begun_.back().generation + 1;
    return unbegun_.empty() ? first_generation(options_.journal) : unbegun_.front().generation;
}

std::string Recovery::path(std::string_view name) const {
    return path_in(options_.directory, name);
}

Error Recovery::damage(Index at, std::string_view why) const {
    return {.code = Errc::corrupt,
            .detail = fmt::format("entry {} of the journal in {} is damaged: {}", at.value,
                                  options_.directory, why)};
}

}  // namespace understudy::journal
