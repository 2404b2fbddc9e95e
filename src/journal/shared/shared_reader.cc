#include "journal/shared/shared_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "journal/journal.h"

namespace understudy::journal {

namespace {

// How many times next() looks, if files are removed each time while it looks. After that it fails,
// and a standby tries again at its next poll.
constexpr int looks_max = 8;

}  // namespace

SharedReader::SharedReader(Disk& disk, std::string directory)
    : disk_(disk), directory_(std::move(directory)) {}

void SharedReader::resume(const Heard& heard, std::uint32_t journal) {
    heard_ = heard;
    journal_ = journal;
    cursor_.reset();
    restoring_.reset();
    begun_ = true;
}

void SharedReader::prompt(Index committed, Epoch epoch) {
    if (epoch < prompted_epoch_) return;  // Old. Later prompts say the same and more.
    prompted_ = std::max(prompted_, committed);
    prompted_epoch_ = epoch;
}

Result<SharedReader::Slice> SharedReader::next() {
    for (int looks = 1;; ++looks) {
        auto slice = look();
        if (slice) return slice;
        // The cursor may be after entries that were not handed out. The next look begins after the
        // last entry that was.
        cursor_.reset();
        restoring_.reset();
        // no_such_file: a trim removed files during the look. So there is a checkpoint that covers
        // them.
        if (slice.error().code != Errc::no_such_file) return slice;
        if (looks == looks_max) {
            return Error{.code = Errc::disk_failed, .detail = std::move(slice).error().detail};
        }
    }
}

Result<SharedReader::Slice> SharedReader::look() {
    Slice slice;
    if (!restoring_) {
        SharedNames names = SharedNames::of(US_TRY(disk_.list(directory_)));
        if (cursor_ && names.head() == names_.head() && names.head() != Epoch{}) {
            cursor_->extend(names.segments.at(names.head()));
        } else {
            cursor_.reset();
        }
        names_ = std::move(names);
        if (!cursor_ && !begun_ && !names_.checkpoints.empty()) {
            US_CHECK(find_checkpoint());
        }
        begun_ = true;
        const bool empty = names_.segments.empty() && names_.checkpoints.empty();
        if (!restoring_ && !cursor_ && !empty && !US_TRY(find_place())) {
            US_CHECK(find_checkpoint());
            if (!restoring_) US_CHECK(judge_loss());
        }
    }
    if (!names_.checkpoints.empty()) slice.checkpoint = names_.checkpoints.front();
    if (restoring_) {
        slice.state = US_TRY(restoring_->next());
        const Checkpoint& checkpoint = restoring_->checkpoint();
        slice.state_at = checkpoint.at;
        slice.more = true;
        if (slice.state->last) {
            heard_ = {
                .last = checkpoint.at, .epoch = checkpoint.epoch, .content = checkpoint.checksum};
            journal_ = checkpoint.journal;
            restoring_.reset();
        }
        return slice;
    }
    if (cursor_) US_CHECK(read(slice));
    // If `epoch` cannot be read now, the next look may read it. Nothing here depends on it.
    if (auto published = read_epoch(disk_, directory_)) slice.published = *std::move(published);
    return slice;
}

/// The listing had neither the next entry nor a checkpoint after it. A listing is not made at one
/// moment: the segment may have been removed while it was made, and the checkpoint may have been
/// made in a part that had been listed before. So it lists again.
Result<void> SharedReader::judge_loss() {
    const SharedNames now = SharedNames::of(US_TRY(disk_.list(directory_)));
    const std::string lost = fmt::format(
        "entry {} of the journal in {} is damaged: no segment and no "
        "checkpoint that holds it is left",
        heard_.last.next().value, directory_);
    const bool same = now.segments == names_.segments && now.checkpoints == names_.checkpoints;
    return Error{.code = same ? Errc::corrupt : Errc::no_such_file, .detail = lost};
}

/// False if the next entry has been removed.
Result<bool> SharedReader::find_place() {
    const Index wanted = heard_.last.next();
    auto parts = US_TRY(read_parts(disk_, directory_, names_, wanted));
    if (parts.empty()) return false;
    SharedCursor cursor(disk_, directory_, std::move(parts));
    if (!US_TRY(cursor.seek(wanted))) return false;
    cursor_.emplace(std::move(cursor));
    return true;
}

/// Opens the newest checkpoint that is whole and that is after what was heard. It is no error if
/// there is none. But if one that was listed is gone, newer checkpoints have made it superfluous,
/// and the next look finds those: no_such_file.
Result<void> SharedReader::find_checkpoint() {
    Result<void> none;
    for (const Index at : names_.checkpoints) {
        if (at <= heard_.last) break;
        auto opened = CheckpointReader::open(disk_, directory_, at);
        const bool foreign = opened && journal_ != 0 && (*opened)->checkpoint().journal != journal_;
        if (opened && !foreign) {
            restoring_ = *std::move(opened);
            return {};
        }
        // A checkpoint that is damaged or of another journal is skipped. An error that may be
        // temporary is returned.
        if (opened || opened.error().code == Errc::corrupt) continue;
        if (opened.error().code != Errc::no_such_file) return std::move(opened).error();
        none = std::move(opened).error();
    }
    return none;
}

Result<void> SharedReader::read(Slice& slice) {
    cursor_->reopen();
    const bool prompted = names_.head() >= prompted_epoch_;
    std::vector<SharedCursor::Position> behind;  // One after each entry of the slice.
    SharedCursor::Position place = cursor_->position();
    const auto committed = [&] {
        return prompted ? std::max(cursor_->committed(), prompted_) : cursor_->committed();
    };
    for (;;) {
        const bool full = slice.bodies.size() >= replay_slice_bytes ||
                          slice.entries.size() >= replay_slice_entries;
        if (full && slice.entries.back().header.index <= committed()) {
            slice.more = true;
            break;
        }
        const auto found = US_TRY(cursor_->next());
        if (!found) break;
        if (US_TRY(take(*found, slice))) {
            behind.push_back(cursor_->position());
        } else {
            place = cursor_->position();
        }
    }
    // Entries that are not committed are not handed out, because they may become void.
    while (!slice.entries.empty() && slice.entries.back().header.index > committed()) {
        slice.bodies.resize(slice.entries.back().body_offset);
        slice.entries.pop_back();
    }
    if (!slice.entries.empty()) {
        const EntryHeader& last = slice.entries.back().header;
        place = behind[slice.entries.size() - 1];
        if (const auto journal = journal_of(cursor_->parts()); journal != 0) journal_ = journal;
        heard_ = {.last = last.index,
                  .epoch = last.epoch,
                  .content = content_checksum(
                      {.index = last.index,
                       .epoch = last.epoch,
                       .type = last.type,
                       .body = Bytes(slice.bodies).subspan(slice.entries.back().body_offset)})};
    }
    cursor_->go_back(place);
    return {};
}

/// False if it has been heard before.
Result<bool> SharedReader::take(const SharedCursor::Found& found, Slice& slice) {
    const EntryHeader& header = found.header;
    if (header.index > heard_.last) {
        slice.entries.push_back({.header = header, .body_offset = slice.bodies.size()});
        slice.bodies.insert(slice.bodies.end(), found.body.begin(), found.body.end());
        return true;
    }
    if (header.index == heard_.last) {
        const Entry entry{
            .index = header.index, .epoch = header.epoch, .type = header.type, .body = found.body};
        if (content_checksum(entry) != heard_.content) {
            return cursor_->damage(header.index, "it is not the one that was heard");
        }
    }
    return false;
}

Result<void> SharedReader::judge() {
    if (!cursor_) return {};
    const SharedCursor::Position place = cursor_->position();
    const auto look_on = [this]() -> Result<void> {
        while (US_TRY(cursor_->next())) {
        }
        auto judged = cursor_->judge();
        if (judged || judged.error().code != Errc::corrupt) return judged;
        // The entry may have been written after it was looked for.
        cursor_->reopen();
        if (US_TRY(cursor_->next())) return {};
        // Or the segments are not those of the last look, on which the judgement is based.
        const SharedNames now = SharedNames::of(US_TRY(disk_.list(directory_)));
        if (now.segments != names_.segments) return {};
        return judged;
    };
    const auto judged = look_on();
    cursor_->go_back(place);
    if (!judged && judged.error().code == Errc::no_such_file) return {};
    return judged;
}

}  // namespace understudy::journal
