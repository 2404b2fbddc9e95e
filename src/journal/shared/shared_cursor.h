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
    std::optional<Seal> next;                ///< Of the epoch that follows: void behind its `at`.
};

/// The epochs that count, oldest first, as far back as entry `wanted` needs. Empty: no segments.
///
/// The highest epoch that has a segment, the one that its seal names, and so on; no other.
/// Errors: no_such_file (none) if it changes meanwhile: look again; corrupt, bad_config,
///         disk_failed.
[[nodiscard]] Result<std::vector<SharedPart>> read_parts(Disk& disk, const std::string& directory,
                                                         const SharedNames& names, Index wanted);

/// Which journal they are of, by the newest seal that is known; 0: none is.
[[nodiscard]] std::uint32_t journal_of(const std::vector<SharedPart>& parts);

/// The header of a segment, nullopt if it has not been begun. Errors: as read_parts().
[[nodiscard]] Result<std::optional<SegmentHeader>> read_shared_header(Disk& disk,
                                                                      const std::string& directory,
                                                                      Epoch epoch,
                                                                      std::uint64_t generation);

/// A segment that is not as its maker says it was.
struct LostSegment {
    Epoch epoch;
    std::uint64_t generation = 0;
    Index entry;  ///< Was committed, and stood in it.
    std::string why;
};

/// Asks the claims of the newest epochs for the segment that was begun last. nullopt: all is there.
///
/// Requires: who looks has changed the directory since `names` were listed, or nobody has it open.
/// Errors: bad_config, disk_failed (none).
[[nodiscard]] Result<std::optional<LostSegment>> find_lost_segment(Disk& disk,
                                                                   const std::string& directory,
                                                                   const SharedNames& names);

/// Goes through the entries of a shared journal, over segments and epochs.
///
/// It says what can be read, and beside it what is known to be durable, and what to be committed.
///
/// Thread: a worker.
/// Errors: of all: disk_failed (none); no_such_file (none) if a segment has been removed.
/// Source: docs/protocols/fencing.md, "Reading".
class SharedCursor {
public:
    /// Requires: `parts` is not empty.
    SharedCursor(Disk& disk, std::string directory, std::vector<SharedPart> parts);

    /// Goes to the begin of the segment that holds entry `wanted`, or will; false if it is gone.
    [[nodiscard]] Result<bool> seek(Index wanted);

    struct Found {
        EntryHeader header;
        Bytes body;  ///< Lives until the next call.
    };
    /// The next entry; nullopt if none can be read. Also: corrupt (none), if epochs do not fit.
    [[nodiscard]] Result<std::optional<Found>> next();

    /// Where next() goes on.
    struct Position {
        std::size_t part = 0;
        std::uint64_t generation = 0;
        std::uint64_t offset = 0;
        Chain chain;
    };
    [[nodiscard]] const Position& position() const { return at_; }
    void go_back(const Position& position);

    /// Forgets what was read ahead: the file is opened anew.
    void reopen();
    /// The segments of the newest epoch have become more.
    void extend(std::vector<std::uint64_t> generations);

    /// Requires: next() has just returned nullopt.
    /// Errors: corrupt (none), with the index, if what should be there was durable.
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
    Index unsealed_;  ///< With the planted bug shared_no_seal: what was believed before.
    std::unique_ptr<File> file_;
    std::uint64_t size_bytes_ = 0;  ///< Of it.
    std::uint64_t end_bytes_ = 0;   ///< How far reader_ looks.
    std::uint64_t checked_ = 0;     ///< The generation whose header is right.
    std::optional<SegmentReader> reader_;
};

}  // namespace understudy::journal
