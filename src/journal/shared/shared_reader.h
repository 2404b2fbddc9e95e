#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/format/checkpoint_file.h"
#include "journal/shared/shared_cursor.h"
#include "journal/shared/shared_epoch.h"

namespace understudy::journal {

/// How far somebody has heard a journal.
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
/// It begins with the newest checkpoint, and comes back to one if what it needs next has been
/// removed meanwhile. It survives any change of the active member: what was heard stays.
///
/// Thread: the journal worker; made and destroyed anywhere.
class SharedReader {
public:
    struct Slice {
        std::optional<CheckpointReader::Slice> state;  ///< Comes alone.
        Index state_at;                                ///< What that is the state after.
        Buffer bodies;
        std::vector<SharedEntry> entries;
        bool more = false;                     ///< There is more already.
        std::optional<EpochRecord> published;  ///< Who is active, as far as can be read.
        Index checkpoint;                      ///< The newest there is.
    };

    SharedReader(Disk& disk, std::string directory);

    /// Goes on behind `heard` of `journal`, which came another way.
    void resume(const Heard& heard, std::uint32_t journal);
    /// The active of `epoch` says that entries up to `committed` are.
    void prompt(Index committed, Epoch epoch);

    /// What is new, about `slice_bytes` of it.
    /// Errors: corrupt, bad_config, disk_failed (none).
    [[nodiscard]] Result<Slice> next();

    /// Looks behind what could be read: damage there would be waited for in vain.
    /// Errors: corrupt, bad_config, disk_failed (none).
    [[nodiscard]] Result<void> judge();

    [[nodiscard]] const Heard& heard() const { return heard_; }
    /// Which journal was heard; 0 if nothing was. What is not committed may be void, and with it
    /// the journal that it began.
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
    bool begun_ = false;  ///< A checkpoint has been looked for.
    SharedNames names_;
    std::optional<SharedCursor> cursor_;
    std::unique_ptr<CheckpointReader> restoring_;
    Index prompted_;
    Epoch prompted_epoch_;
};

}  // namespace understudy::journal
