#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/batcher.h"
#include "journal/directory_hold.h"
#include "journal/format/checkpoint_file.h"
#include "journal/format/segment_reader.h"

namespace understudy::journal {

/// A segment on disk that has been begun.
struct SegmentPlace {
    std::uint64_t generation = 0;
    Index first;
    bool ours = false;  ///< It was made since the journal was opened.
};

/// What an opening hands to the journal that serves.
struct Recovered {
    std::unique_ptr<DirectoryHold> hold;
    std::unique_ptr<File> segment;
    std::unique_ptr<File> reserve;       ///< Null if one must be made.
    bool reserve_is_reused = false;      ///< See SegmentHeader::reused.
    Tail tail;                           ///< After the tenure entry, which is durable.
    std::vector<SegmentPlace> segments;  ///< Oldest first; the last is the one appended to.
    std::vector<Index> checkpoints;      ///< At most two, oldest first.
    std::vector<std::string> leftovers;  ///< Files that nothing needs any more.
    std::uint64_t cut_bytes = 0;         ///< Length of a torn tail.
    std::vector<Index> damaged_checkpoints;
};

/// Reads a journal's directory and begins a tenure in it.
///
/// The order is: begin(), then state() until it returns nullopt, next() until a slice is the
/// `last`, finish(). Each call is one job. Entries are handed over when they are found valid. Only
/// when finish() has returned is it known that they are durable.
///
/// An entry that cannot be read is *damage* if something says that it was durable: a later entry, a
/// later segment, or a checkpoint. Damage is never skipped and never cut. The opening fails and
/// says which entry is damaged. If nothing says that an unreadable entry was durable, it is the
/// torn end of a write that was never acknowledged. It is cut, and overwritten with zeros before
/// anything is appended.
///
/// Thread: the journal worker; made and destroyed anywhere.
/// Source: docs/formats/journal.md, section "Recovery".
class Recovery {
public:
    struct Options {
        std::string directory;
        std::uint64_t segment_bytes = 0;
        std::uint32_t journal = 0;    ///< Id of the journal if a new one must be made. Not 0.
        bool keeps_segments = false;  ///< Segments before those to be read are not leftovers.
        std::vector<DirectoryWanted> identities = {};  ///< Of the directory and of those around it.
    };

    struct Replayed {
        EntryHeader header;
        std::size_t body_offset = 0;  ///< In Slice::bodies.
        Place place;                  ///< Of the body, on the disk.
    };
    struct Slice {
        Buffer bodies;
        std::vector<Replayed> entries;  ///< Only entries after the checkpoint.
        bool last = false;
    };

    Recovery(Disk& disk, Options options);

    /// Locks the directory and finds the newest checkpoint that is whole, if there is one. If the
    /// directory is of another kind than wanted, nothing in it is changed.
    /// Errors: in_use, corrupt, bad_config, disk_failed (none).
    [[nodiscard]] Result<void> begin();

    /// The checkpoint that was found; nullopt if there is none.
    [[nodiscard]] const std::optional<Checkpoint>& checkpoint() const { return checkpoint_; }
    /// The next slice of its state; nullopt if there is no checkpoint or no further slice.
    /// Errors: corrupt, disk_failed (none).
    [[nodiscard]] Result<std::optional<CheckpointReader::Slice>> state();

    /// The next entries, about replay_slice_bytes of them. Errors: corrupt, disk_failed (none).
    [[nodiscard]] Result<Slice> next();

    /// Cuts a torn tail, makes durable what is kept, and appends the entry that begins the tenure.
    /// Errors: corrupt, no_space (none); disk_failed (unknown).
    [[nodiscard]] Result<Recovered> finish();

private:
    struct Found {
        std::uint64_t generation = 0;
        std::uint64_t size_bytes = 0;
        std::optional<SegmentHeader> header;
        SegmentReader::Remains remains;  ///< Only of a segment that is not begun.

        /// It has been begun, and is as long as its header says.
        [[nodiscard]] bool whole() const { return header && header->size_bytes == size_bytes; }
    };

    Result<void> list();
    Result<void> look_at_segment(std::uint64_t generation);
    Result<void> find_checkpoint();
    Result<void> choose_start();

    Result<void> open_segment();
    Result<bool> read_entry(Slice& slice);
    Result<void> leave_segment();
    Result<void> judge();
    [[nodiscard]] Result<void> check_unbegun() const;
    Result<void> ask_unbegun(Found& found);
    [[nodiscard]] Result<void> check_length(const Found& found) const;

    Result<void> settle_tail();
    Result<void> settle_unbegun();
    Result<void> settle_names();
    Result<void> begin_tenure();

    void remove_later(std::string_view name);
    [[nodiscard]] std::uint64_t next_generation() const;
    [[nodiscard]] std::string path(std::string_view name) const;
    [[nodiscard]] Error damage(Index at, std::string_view why) const;

    Disk& disk_;
    const Options options_;

    std::vector<Index> checkpoint_names_;  ///< Newest first.
    std::optional<Checkpoint> checkpoint_;
    std::optional<Error> unreadable_;  ///< The disk error for which a checkpoint was skipped.
    std::unique_ptr<CheckpointReader> state_;  ///< Null when the whole state has been given.
    std::vector<Found> found_;                 ///< All segments. Used only within begin().
    std::vector<Found> begun_;    ///< To be read: from the first that is needed to the last begun.
    std::vector<Found> unbegun_;  ///< The segments after `begun_`.
    std::size_t reading_ = 0;     ///< The index in `begun_` of the segment that is read now.

    std::unique_ptr<File> file_;
    std::optional<SegmentReader> reader_;
    std::uint64_t offset_ = 0;  ///< Where the next entry should be.
    Chain chain_;
    Index claimed_;  ///< Something on the disk says that entries up to here were durable.
    /// Entries of the segment being read of which nothing has said yet that they were durable, and
    /// their offsets.
    std::deque<std::pair<Index, std::uint64_t>> unproven_;
    std::uint64_t garbage_end_ = 0;

    Recovered out_;
};

}  // namespace understudy::journal
