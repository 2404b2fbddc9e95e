#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/format/checkpoint_file.h"
#include "journal/shared/shared_cursor.h"
#include "journal/shared/shared_epoch.h"

namespace understudy::journal {

/// How far a member has heard a journal.
struct Heard {
    Index last;
    Epoch epoch;                ///< Of entry `last`.
    std::uint32_t content = 0;  ///< content_checksum() of it.
    friend bool operator==(const Heard&, const Heard&) = default;
};

/// An entry in a slice.
struct SharedEntry {
    EntryHeader header;
    std::size_t body_offset = 0;  ///< In `bodies`.
};

/// Follows a shared journal, up to what is committed.
///
/// It begins with the newest checkpoint. If the next entry has been removed meanwhile, it restores
/// a checkpoint again. After any change of the active member it goes on, and what was heard remains
/// valid.
///
/// Thread: the journal worker; made and destroyed anywhere.
class SharedReader {
public:
    struct Slice {
        std::optional<CheckpointReader::Slice> state;  ///< If set, there are no entries.
        Index state_at;                                ///< It is the state after this entry.
        Buffer bodies;
        std::vector<SharedEntry> entries;
        bool more = false;                     ///< The next slice can be read at once.
        std::optional<EpochRecord> published;  ///< The published epoch, if it can be read.
        Index checkpoint;                      ///< The newest one in the directory.
    };

    SharedReader(Disk& disk, std::string directory);

    /// Continues after `heard` of `journal`, which this reader did not read itself.
    void resume(const Heard& heard, std::uint32_t journal);
    /// The active member of `epoch` says that entries up to `committed` are committed.
    void prompt(Index committed, Epoch epoch);

    /// The next part of what is new: about replay_slice_bytes of it.
    /// Errors: corrupt, bad_config, disk_failed (none).
    [[nodiscard]] Result<Slice> next();

    /// Checks whether the next entry is damaged. A reader would wait for such an entry for ever.
    /// Errors: corrupt, bad_config, disk_failed (none).
    [[nodiscard]] Result<void> judge();

    [[nodiscard]] const Heard& heard() const { return heard_; }
    /// Which journal was heard; 0 if nothing was heard. Entries that are not committed may be void,
    /// and so may a journal that begins with them.
    [[nodiscard]] std::uint32_t journal() const { return journal_; }

private:
    Result<Slice> look();
    [[nodiscard]] Result<void> judge_loss();
    Result<bool> find_place();
    Result<void> find_checkpoint();
    Result<void> read(Slice& slice);
    Result<bool> take(const SharedCursor::Found& found, Slice& slice);

    Disk& disk_;
    const std::string directory_;
    Heard heard_;
    std::uint32_t journal_ = 0;
    bool begun_ = false;  ///< A checkpoint has been looked for, or resume() made that unnecessary.
    SharedNames names_;
    std::optional<SharedCursor> cursor_;
    std::unique_ptr<CheckpointReader> restoring_;
    Index prompted_;
    Epoch prompted_epoch_;
};

}  // namespace understudy::journal
