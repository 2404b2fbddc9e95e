#pragma once

#include <string>
#include <vector>

#include "journal/format/chain.h"
#include "journal/format/segment_reader.h"
#include "journal/format/short_segment.h"
#include "journal/walk/walk.h"

namespace understudy::journal {

/// The common part of walks through all kinds of directories: it counts, and checks checkpoints.
///
/// Thread: a worker.
class WalkParts {
public:
    WalkParts(Disk& disk, std::string directory, WalkVisitor& visitor);

    /// Reads the whole checkpoint. Damage is noted. Errors: no_such_file, bad_config, disk_failed
    /// (none).
    [[nodiscard]] Result<void> read_checkpoint(Index at);
    /// Reads the identity of the directory. Damage is noted. Errors: no_such_file, bad_config,
    /// disk_failed.
    [[nodiscard]] Result<void> read_identity();
    /// Counts an entry, and tells the visitor. `checksum` is the one that a checkpoint at this
    /// entry would have.
    [[nodiscard]] Result<void> take(const Entry& entry, std::uint32_t checksum,
                                    const std::string& file, std::uint64_t offset);
    /// The entry with this checksum is gone, and the entry after it is there.
    void take_gone(Index index, std::uint32_t checksum, const std::string& file);
    /// Entries are missing between here and the next one that is taken.
    void interrupt() { interrupted_ = true; }
    /// Checks that the entries fit to the checkpoints, after all entries have been taken.
    void judge_checkpoints();
    /// The newest checkpoint that is not damaged, or null.
    [[nodiscard]] const Checkpoint* newest_checkpoint() const;

    /// Notes that the length of a begun segment differs from its header, and what is lost.
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

/// For local journals, including node logs.
[[nodiscard]] Result<void> walk_local(WalkParts& parts, const std::vector<std::string>& names,
                                      WalkDepth depth);
[[nodiscard]] Result<void> walk_shared(WalkParts& parts, const std::vector<std::string>& names);

}  // namespace understudy::journal
