#pragma once

#include <string>
#include <vector>

#include "journal/format/chain.h"
#include "journal/format/segment_reader.h"
#include "journal/format/short_segment.h"
#include "journal/walk/walk.h"

namespace understudy::journal {

/// What walks through all kinds of directories have in common: counting, and checking checkpoints.
///
/// Thread: a worker.
class WalkParts {
public:
    WalkParts(Disk& disk, std::string directory, WalkVisitor& visitor);

    /// Reads all of it. A damaged one is noted. Errors: no_such_file, bad_config, disk_failed
    /// (none).
    [[nodiscard]] Result<void> read_checkpoint(Index at);
    /// Reads what the directory is. Damage is noted. Errors: no_such_file, bad_config, disk_failed.
    [[nodiscard]] Result<void> read_identity();
    /// Counts an entry, and tells the visitor. `checksum` is what a checkpoint of it would hold.
    [[nodiscard]] Result<void> take(const Entry& entry, std::uint32_t checksum,
                                    const std::string& file, std::uint64_t offset);
    /// The entry with that checksum is gone, the one behind it is not.
    void take_gone(Index index, std::uint32_t checksum, const std::string& file);
    /// No entry can be told from here on, up to the next one that is taken.
    void interrupt() { interrupted_ = true; }
    /// What the checkpoints demand of the entries, when all have been taken.
    void judge_checkpoints();
    /// The newest that is whole, or null.
    [[nodiscard]] const Checkpoint* newest_checkpoint() const;

    /// Notes that a begun segment has not the length that its header says, and what of it is lost.
    /// Errors: disk_failed (none).
    [[nodiscard]] Result<void> short_segment(File& file, const SegmentHeader& header,
                                             const WalkedSegment& segment,
                                             std::uint64_t entries_at);

    void damaged(Index entry, std::string file, std::uint64_t offset, std::string why);
    void stray(const std::string& file, std::uint64_t offset, std::uint64_t end);
    void read(std::uint64_t bytes);

    [[nodiscard]] std::string path(std::string_view name) const;

    Disk& disk;
    const std::string directory;
    WalkVisitor& visitor;
    Walked out;
    std::uint64_t total_bytes = 0;

private:
    void judge_trimming();

    std::uint64_t read_bytes_ = 0;
    bool interrupted_ = false;
};

/// Local journals, node logs among them.
[[nodiscard]] Result<void> walk_local(WalkParts& parts, const std::vector<std::string>& names,
                                      WalkDepth depth);
[[nodiscard]] Result<void> walk_shared(WalkParts& parts, const std::vector<std::string>& names);

}  // namespace understudy::journal
