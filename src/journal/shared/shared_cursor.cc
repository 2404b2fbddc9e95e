#include "journal/shared/shared_cursor.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/plant.h"
#include "journal/format/short_segment.h"
#include "journal/shared/shared_epoch.h"

namespace understudy::journal {

namespace {

// A standby looks often and finds little. To read a whole window each time would be expensive.
constexpr std::uint64_t first_look_bytes = 16 * KiB;

constexpr std::size_t first_entry_offset = segment_header_bytes + seal_bytes;

Error damaged_entry(const std::string& directory, Index at, std::string_view why) {
    return {.code = Errc::corrupt,
            .detail = fmt::format("entry {} of the journal in {} is damaged: {}", at.value,
                                  directory, why)};
}

bool has_first(const std::vector<std::uint64_t>& generations) {
    return segment_count(generations.front()) == 1;
}

}  // namespace

Result<std::optional<SegmentHeader>> read_shared_header(Disk& disk, const std::string& directory,
                                                        Epoch epoch, std::uint64_t generation) {
    const std::string path = path_in(directory, shared_segment_name(epoch, generation));
    const auto file = US_TRY(disk.open(path, Disk::Open::existing));
    const std::uint64_t size = US_TRY(file->size());
    SegmentReader reader(*file, std::min<std::uint64_t>(size, segment_header_bytes), generation);
    return US_TRY(reader.header());
}

namespace {

Result<bool> has_begun_later(Disk& disk, const std::string& directory, const SharedNames& names,
                             const LostSegment& than) {
    const auto found = names.segments.find(than.epoch);
    if (found == names.segments.end()) return false;
    for (const std::uint64_t generation : found->second) {
        if (generation <= than.generation) continue;
        if (US_TRY(read_shared_header(disk, directory, than.epoch, generation))) return true;
    }
    return false;
}

}  // namespace

Result<std::optional<LostSegment>> find_lost_segment(Disk& disk, const std::string& directory,
                                                     const SharedNames& names) {
    const std::optional<LostSegment> none;
    for (auto epoch = names.claims.rbegin(); epoch != names.claims.rend(); ++epoch) {
        // The segments of a lower epoch may have been removed since.
        if (*epoch < names.head()) break;
        const auto begun = US_TRY(read_last_begun(disk, directory, *epoch));
        if (!begun) continue;
        LostSegment lost{.epoch = *epoch,
                         .generation = begun->generation,
                         .entry = begun->entry,
                         .why = "it is missing, and it had been begun"};
        const auto header = read_shared_header(disk, directory, *epoch, begun->generation);
        if (!header && header.error().code != Errc::no_such_file) return header.error();
        if (header && *header) continue;
        if (header) lost.why = "it has no header, and it had been begun";
        // The claim may be written late. If a later segment has been begun by then, this one may
        // have been removed.
        if (US_TRY(has_begun_later(disk, directory, names, lost))) continue;
        return std::optional(std::move(lost));
    }
    return none;
}

Result<std::vector<SharedPart>> read_parts(Disk& disk, const std::string& directory,
                                           const SharedNames& names, Index wanted) {
    std::vector<SharedPart> parts;
    std::optional<Seal> next;
    for (Epoch epoch = names.head(); epoch != Epoch{};) {
        const auto found = names.segments.find(epoch);
        if (found == names.segments.end()) break;  // Removed: a checkpoint covers it.
        SharedPart part{
            .epoch = epoch, .generations = found->second, .seal = std::nullopt, .next = next};
        if (has_first(part.generations)) {
            const std::uint64_t generation = part.generations.front();
            const std::string path = path_in(directory, shared_segment_name(epoch, generation));
            const auto file = US_TRY(disk.open(path, Disk::Open::existing));
            Buffer raw(seal_bytes);
            if (US_TRY(file->size()) >= segment_header_bytes + seal_bytes) {
                US_CHECK(file->read_at(segment_header_bytes, raw));
                part.seal = US_TRY(decode_seal(raw, checksum_seed(generation)));
            }
            if (!part.seal || part.seal->epoch != epoch) {
                return damaged_entry(directory, next ? next->at : wanted,
                                     fmt::format("the seal of epoch {}, in {}", epoch.value,
                                                 shared_segment_name(epoch, generation)));
            }
        }
        next = part.seal;
        parts.insert(parts.begin(), std::move(part));
        if (!next || next->at < wanted) break;
        epoch = next->old;
    }
    return parts;
}

std::uint32_t journal_of(const std::vector<SharedPart>& parts) {
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        if (part->seal) return part->seal->journal;
    }
    return 0;
}

SharedCursor::SharedCursor(Disk& disk, std::string directory, std::vector<SharedPart> parts)
    : disk_(disk), directory_(std::move(directory)), parts_(std::move(parts)) {
    US_ASSERT(!parts_.empty());
}

Result<bool> SharedCursor::seek(Index wanted) {
    reopen();
    const auto reaches = [&](const SharedPart& part) {
        return !part.seal || part.seal->at < wanted;
    };
    const auto found = std::find_if(parts_.rbegin(), parts_.rend(), reaches);
    if (found == parts_.rend()) return false;
    enter(static_cast<std::size_t>(parts_.rend() - found) - 1);
    const auto& generations = part().generations;
    for (auto it = generations.rbegin(); it != generations.rend(); ++it) {
        const auto header = US_TRY(read_shared_header(disk_, directory_, part().epoch, *it));
        if (!header || header->first > wanted) continue;
        at_.generation = *it;
        at_.offset = segment_count(*it) == 1 ? first_entry_offset : segment_header_bytes;
        at_.chain = {.last = {header->first.value - 1}, .epoch = {}, .checksum = header->previous};
        durable_ = std::max(durable_, at_.chain.last);
        return true;
    }
    // A first segment is complete from the moment it has its name. If the first segment of the
    // epoch is gone, the entry may be gone too.
    if (!has_first(generations)) return false;
    return damage(part().seal->at.next(), "the header of its segment");
}

/// Goes to the start of another part, without a check.
void SharedCursor::enter(std::size_t index) {
    reopen();
    at_.part = index;
    at_.generation = part().generations.front();
    at_.offset = first_entry_offset;
    // The seal and the entries that come with it are durable since their segment got its name.
    if (part().seal) durable_ = std::max(durable_, part().seal->last);
    if (part().next) durable_ = std::max(durable_, part().next->at);
}

Result<std::optional<SharedCursor::Found>> SharedCursor::next() {
    const std::optional<Found> none;
    for (;;) {
        const auto& following = part().next;
        const bool sealed = following && !planted(Plant::shared_no_seal);
        if (sealed && at_.chain.last == following->at) {
            if (at_.chain.checksum != following->checksum) {
                return damage(following->at, "it is not the one that the seal is about");
            }
            enter(at_.part + 1);
            continue;
        }
        if (!reader_) US_CHECK(open_segment());
        const auto entry = US_TRY(reader_->entry_at(at_.offset));
        if (entry && at_.chain.accepts(entry->header)) {
            at_.chain.advance(entry->header);
            at_.offset += entry->header.encoded_bytes();
            learn(entry->header);
            if (entry->header.index <= unsealed_) continue;
            return std::optional(Found{.header = entry->header, .body = entry->body});
        }
        if (!entry && US_TRY(widen())) continue;
        if (US_TRY(next_segment())) continue;
        if (following && planted(Plant::shared_no_seal)) {
            unsealed_ = at_.chain.last;
            at_.chain = {.last = following->at, .epoch = {}, .checksum = following->checksum};
            enter(at_.part + 1);
            continue;
        }
        return none;
    }
}

void SharedCursor::learn(const EntryHeader& header) {
    durable_ = std::max(durable_, header.link.synced);
    // The entries that come with the seal were written before the new owner read the epoch once
    // more. So they do not say what is committed.
    const bool brought = part().seal && header.index <= part().seal->last;
    if (!brought) committed_ = std::max(committed_, header.link.synced);
}

/// False if no segment follows that has been begun.
Result<bool> SharedCursor::next_segment() {
    const auto& generations = part().generations;
    const auto following = std::upper_bound(generations.begin(), generations.end(), at_.generation);
    if (following == generations.end() || *following != at_.generation + 1) return false;
    const auto header = US_TRY(read_shared_header(disk_, directory_, part().epoch, *following));
    if (!header) return false;
    if (header->first != at_.chain.last.next() || header->previous != at_.chain.checksum) {
        // The segment begins after entries that could not be read here. judge() decides whether
        // that is damage.
        if (!part().next) durable_ = std::max(durable_, Index{header->first.value - 1});
        return false;
    }
    reopen();
    at_.generation = *following;
    at_.offset = segment_header_bytes;
    return true;
}

Result<void> SharedCursor::open_segment() {
    const std::string name = shared_segment_name(part().epoch, at_.generation);
    file_ = US_TRY(disk_.open(path_in(directory_, name), Disk::Open::existing));
    size_bytes_ = US_TRY(file_->size());
    if (checked_ != at_.generation) {
        const std::uint64_t head = std::min<std::uint64_t>(size_bytes_, segment_header_bytes);
        SegmentReader front(*file_, head, at_.generation);
        const auto header = US_TRY(front.header());
        const Index next = at_.chain.last.next();
        if (!header) return damage(next, fmt::format("the header of {}", name));
        if (header->size_bytes != size_bytes_) {
            const bool sealed = segment_count(at_.generation) == 1;
            const ShortSegment segment =
                US_TRY(look_at_short(*file_, size_bytes_, *header,
                                     sealed ? first_entry_offset : segment_header_bytes));
            if (segment.only_padding) return only_padding_missing(directory_, name, segment);
            return damage(segment.last.next(), fmt::format("{} has {} bytes instead of {}", name,
                                                           size_bytes_, header->size_bytes));
        }
        checked_ = at_.generation;
    }
    read_to(std::min(size_bytes_, at_.offset + first_look_bytes));
    return {};
}

void SharedCursor::read_to(std::uint64_t end) {
    end_bytes_ = end;
    reader_.emplace(*file_, end, at_.generation);
}

/// Reads the rest of the segment if the entry may only have been cut off at the end of what was
/// read. False if not.
Result<bool> SharedCursor::widen() {
    if (end_bytes_ == size_bytes_) return false;
    const Buffer head = US_TRY(reader_->copy(at_.offset, entry_header_bytes));
    const auto header = decode_header(head, checksum_seed(at_.generation));
    const bool cut = head.size() < entry_header_bytes ||
                     (header && at_.offset + header->encoded_bytes() > end_bytes_);
    if (cut) read_to(size_bytes_);
    return cut;
}

void SharedCursor::go_back(const Position& position) {
    if (position.generation != at_.generation || position.part != at_.part) reopen();
    at_ = position;
}

void SharedCursor::reopen() {
    reader_.reset();
    file_.reset();
}

void SharedCursor::extend(std::vector<std::uint64_t> generations) {
    parts_.back().generations = std::move(generations);
}

Result<void> SharedCursor::judge() {
    if (!reader_) US_CHECK(open_segment());
    read_to(size_bytes_);
    if (!part().next) {
        durable_ = std::max(durable_, US_TRY(reader_->search(at_.offset)).claimed);
        std::uint64_t before = at_.generation;
        for (const std::uint64_t generation : part().generations) {
            if (generation <= at_.generation) continue;
            US_CHECK(ask_later(generation, before));
            before = generation;
        }
    }
    if (at_.chain.last >= durable_) return {};
    return damage(at_.chain.last.next(),
                  fmt::format("{} ends before it, and entries up to {} were durable",
                              shared_segment_name(part().epoch, at_.generation), durable_.value));
}

/// Reads what a later segment of the epoch says about the segments before it. `before` is the last
/// of those.
Result<void> SharedCursor::ask_later(std::uint64_t generation, std::uint64_t before) {
    const Index next = at_.chain.last.next();
    const std::string name = shared_segment_name(part().epoch, generation);
    const auto file = US_TRY(disk_.open(path_in(directory_, name), Disk::Open::existing));
    const std::uint64_t size = US_TRY(file->size());
    // A segment is made after the one before it got its name. A segment is removed only after the
    // next one has been begun.
    if (generation != before + 1) {
        return damage(next, fmt::format("{} is missing, and {} was made after it",
                                        shared_segment_name(part().epoch, before + 1), name));
    }
    if (!is_segment_length(size)) {
        return damage(next, fmt::format("{}: {}", name, lost_length(size)));
    }
    SegmentReader later(*file, size, generation);
    if (const auto header = US_TRY(later.header())) {
        durable_ = std::max(durable_, Index{header->first.value - 1});
    }
    if (const auto reserve = US_TRY(later.reserve_header())) {
        durable_ = std::max(durable_, reserve->durable);
    }
    durable_ = std::max(durable_, US_TRY(later.search(0)).claimed);
    return {};
}

Error SharedCursor::damage(Index at, std::string_view why) const {
    return damaged_entry(directory_, at, why);
}

}  // namespace understudy::journal
