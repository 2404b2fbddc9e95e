#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "journal/batcher.h"
#include "journal/shared/shared_reader.h"

namespace understudy::journal {

/// How long a tenure's first segment is, if those after it have `segment_bytes`. The next tenure
/// can begin only when the rest of the last segment has been searched for what is durable: a tenure
/// that has written little is searched soon.
[[nodiscard]] constexpr std::uint64_t first_segment_bytes(std::uint64_t segment_bytes) {
    return std::min(segment_bytes, 4 * MiB);
}

/// A tenure that has begun: what serving it needs.
struct SharedTenure {
    EpochRecord record;
    std::uint32_t journal = 0;
    std::shared_ptr<File> claim;  ///< Locked; the progress stamp goes there.
    std::unique_ptr<File> segment;
    Tail tail;  ///< Behind the tenure entry.
    Index at;   ///< What the seal says.
    Epoch old;
    /// What has been committed by it, and not been heard yet; the tenure entry comes last.
    Buffer bodies;
    std::vector<SharedEntry> entries;
};

/// Takes over a shared journal: claims an epoch, publishes it, looks what there is, copies what may
/// not be durable, seals.
///
/// claim(), publish(), then whatever is committed is heard by a SharedReader, then finish(). An
/// error of any of them, or the end of it at any place, leaves the journal as it was for everybody
/// else.
///
/// Thread: the journal worker; made and destroyed anywhere.
/// Source: docs/protocols/fencing.md, "Taking over".
class SharedTakeover {
public:
    struct Options {
        std::string directory;
        std::uint64_t segment_bytes = 0;  ///< Of the first one, unless it must hold more.
        std::string member;
        std::uint64_t tenure = 0;   ///< Random, not 0.
        std::uint32_t journal = 0;  ///< Random, not 0: if a new journal must be made.
        ProcessId process = {};     ///< Ours, so that others notice our end; may be unknown.
        std::optional<Address> prompts_at = {};  ///< Where standbys are prompted.
    };
    /// A file of `segment_bytes` zeros, locked, for the first segment.
    struct Spare {
        std::string name;
        std::unique_ptr<File> file;  ///< Null: there is none.
    };

    SharedTakeover(Disk& disk, Options options, Spare spare);

    /// Steps T1 to T3: the epoch is at least `at_least`.
    /// Errors: in_use (none) if others are always quicker; no_space, disk_failed (none).
    [[nodiscard]] Result<void> claim(Epoch at_least);

    /// Steps T4 and T5.
    /// Errors: not_active (none) if another has claimed a higher one; no_space, disk_failed (none).
    [[nodiscard]] Result<void> publish();

    /// Steps T6 to T8. `heard` is all that was committed before, `journal` whose (0: nothing
    /// heard). Errors: corrupt (none): says which entry; not_active, no_space, disk_failed (none).
    [[nodiscard]] Result<SharedTenure> finish(const Heard& heard, std::uint32_t journal);

    [[nodiscard]] const EpochRecord& record() const { return record_; }

private:
    struct Copy {
        EntryHeader header;
        Buffer body;
    };

    Result<bool> try_claim(Epoch at_least);
    Result<void> scan(const Heard& heard);
    Result<void> look_back(SharedCursor& cursor, const Heard& heard);
    void write_entries(Buffer& out, std::uint32_t seed);
    Result<void> begin_segment(const Buffer& content);
    Result<void> use_spare(const Buffer& content, const std::string& name);
    Result<void> settle_names();
    Result<void> go_on_in_old();
    void collect(const Heard& heard);

    Disk& disk_;
    const Options options_;
    Spare spare_;
    EpochRecord record_;
    std::shared_ptr<File> claim_;

    SharedNames before_;    ///< As they were before we claimed.
    bool settled_ = false;  ///< No segment has got a name since.
    bool scanned_ = false;
    std::uint32_t journal_ = 0;  ///< As the seals say; 0: none does.
    Epoch head_;               ///< The epoch that is taken over from.
    std::deque<Copy> copies_;  ///< From behind `at_` or what was heard, whichever is less.
    Chain at_;                 ///< Its last entry is the last known to be durable.
    Chain last_;               ///< The last readable one; then the tenure entry.
    SharedCursor::Position end_;

    SharedTenure out_;
};

}  // namespace understudy::journal
