#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/format/chain.h"
#include "journal/format/segment_reader.h"
#include "journal/shared/shared_names.h"
#include "journal/shared/shared_seal.h"

namespace understudy::journal {

/// What one epoch contributes to a shared journal.
struct SharedPart {
    Epoch epoch;
    std::vector<std::uint64_t> generations;  ///< Of its segments, ascending.
    std::optional<Seal> seal;                ///< Unknown if the first segment is gone.
    /// The seal of the epoch that follows. Entries of this epoch after its `at` are void.
    std::optional<Seal> next;
};

/// The epochs that count, oldest first, as far back as entry `wanted` needs. Empty: no segments.
///
/// These are the highest epoch that has a segment, the epoch that its seal names, and so on. No
/// other epoch counts.
/// Errors: no_such_file (none) if the directory changes meanwhile: the caller must look again;
///         corrupt, bad_config, disk_failed.
[[nodiscard]] Result<std::vector<SharedPart>> read_parts(Disk& disk, const std::string& directory,
                                                         const SharedNames& names, Index wanted);

/// Which journal `parts` belong to, according to the newest seal that is known; 0: none is known.
[[nodiscard]] std::uint32_t journal_of(const std::vector<SharedPart>& parts);

/// The header of a segment; nullopt if the segment has not been begun. Errors: as read_parts().
[[nodiscard]] Result<std::optional<SegmentHeader>> read_shared_header(Disk& disk,
                                                                      const std::string& directory,
                                                                      Epoch epoch,
                                                                      std::uint64_t generation);

/// A segment that its maker had begun, and that is now missing or has no header.
struct LostSegment {
    Epoch epoch;
    std::uint64_t generation = 0;
    Index entry;  ///< A committed entry that was in it.
    std::string why;
};

/// Checks that the segments which were begun last according to the claims of the newest epochs are
/// there. nullopt: they are.
///
/// Requires: the caller changed the directory before it listed `names`, or no process has the
///           journal open.
/// Errors: bad_config, disk_failed (none).
[[nodiscard]] Result<std::optional<LostSegment>> find_lost_segment(Disk& disk,
                                                                   const std::string& directory,
                                                                   const SharedNames& names);

/// Reads the entries of a shared journal in order, over segments and epochs.
///
/// It says which entries can be read, and also which are known to be durable and which are known to
/// be committed.
///
/// Thread: a worker.
/// Errors: of all: disk_failed (none); no_such_file (none) if a segment has been removed.
/// Source: docs/protocols/fencing.md, "Reading".
class SharedCursor {
public:
    /// Requires: `parts` is not empty.
    SharedCursor(Disk& disk, std::string directory, std::vector<SharedPart> parts);

    /// Goes to the start of the segment that holds entry `wanted`, or will hold it. False if that
    /// segment is gone.
    [[nodiscard]] Result<bool> seek(Index wanted);

    struct Found {
        EntryHeader header;
        Bytes body;  ///< Lives until the next call.
    };
    /// The next entry; nullopt if none can be read. Also: corrupt (none), if two epochs do not fit
    /// to each other.
    [[nodiscard]] Result<std::optional<Found>> next();

    /// Where next() continues.
    struct Position {
        std::size_t part = 0;
        std::uint64_t generation = 0;
        std::uint64_t offset = 0;
        Chain chain;
    };
    [[nodiscard]] const Position& position() const { return at_; }
    void go_back(const Position& position);

    /// Discards what was read ahead. The next read opens the file again.
    void reopen();
    /// The newest epoch now has these segments.
    void extend(std::vector<std::uint64_t> generations);

    /// Decides whether the next entry is damaged or is not written yet.
    ///
    /// Requires: next() has just returned nullopt.
    /// Errors: corrupt (none), with the index, if the entry that cannot be read was durable.
    [[nodiscard]] Result<void> judge();

    [[nodiscard]] Index durable() const { return durable_; }
    [[nodiscard]] Index committed() const { return committed_; }
    [[nodiscard]] const std::vector<SharedPart>& parts() const { return parts_; }
    [[nodiscard]] Error damage(Index at, std::string_view why) const;

private:
    [[nodiscard]] const SharedPart& part() const { return parts_[at_.part]; }
    void enter(std::size_t part);
    Result<void> open_segment();
    void read_to(std::uint64_t end);
    Result<bool> widen();
    Result<bool> next_segment();
    Result<void> ask_later(std::uint64_t generation, std::uint64_t before);
    void learn(const EntryHeader& header);

    Disk& disk_;
    const std::string directory_;
    std::vector<SharedPart> parts_;
    Position at_;
    Index durable_;
    Index committed_;
    Index unsealed_;  ///< With the planted bug shared_no_seal: the last entry of the old epoch.
    std::unique_ptr<File> file_;
    std::uint64_t size_bytes_ = 0;  ///< Of file_.
    std::uint64_t end_bytes_ = 0;   ///< Up to where reader_ reads.
    std::uint64_t checked_ = 0;     ///< The generation whose header has been checked.
    std::optional<SegmentReader> reader_;
};

}  // namespace understudy::journal
