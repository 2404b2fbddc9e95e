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

/// The length of a tenure's first segment, if the later ones have `segment_bytes`. The next tenure
/// can begin only when the rest of the last segment has been searched for what is durable. So after
/// a tenure that has written little, that search is short.
[[nodiscard]] constexpr std::uint64_t first_segment_bytes(std::uint64_t segment_bytes) {
    return std::min(segment_bytes, 4 * MiB);
}

/// What is needed to serve a tenure that has begun.
struct SharedTenure {
    EpochRecord record;
    std::uint32_t journal = 0;
    std::shared_ptr<File> claim;  ///< Locked. The progress stamp is written to it.
    std::unique_ptr<File> segment;
    Tail tail;  ///< After the tenure entry.
    Index at;   ///< As in the seal.
    Epoch old;  ///< As in the seal.
    /// The entries that the takeover has committed and that this member has not heard yet. The
    /// tenure entry is the last.
    Buffer bodies;
    std::vector<SharedEntry> entries;
};

/// Takes over a shared journal: claims an epoch, publishes it, reads what is there, copies what may
/// not be durable, writes the seal.
///
/// The order is: claim(), publish(), then a SharedReader reads everything that is committed, then
/// finish(). If one of them fails, or the process ends at any point, the journal is unchanged for
/// all other members.
///
/// Thread: the journal worker; made and destroyed anywhere.
/// Source: docs/protocols/fencing.md, "Taking over".
class SharedTakeover {
public:
    struct Options {
        std::string directory;
        std::uint64_t segment_bytes = 0;  ///< Of the first segment, unless it must hold more.
        std::string member;
        std::uint64_t tenure = 0;   ///< Random, not 0.
        std::uint32_t journal = 0;  ///< Random, not 0. Used if the journal is new.
        ProcessId process = {};     ///< This one, so that others notice its end. May be unknown.
        std::optional<Address> prompts_at = {};  ///< Where standbys are prompted.
    };
    /// A file of `segment_bytes` zeros, locked, for the first segment.
    struct Spare {
        std::string name;
        std::unique_ptr<File> file;  ///< Null: there is no spare.
    };

    SharedTakeover(Disk& disk, Options options, Spare spare);

    /// Steps T1 to T3. The epoch is at least `at_least`.
    /// Errors: in_use (none) if other members are faster each time; no_space, disk_failed (none).
    [[nodiscard]] Result<void> claim(Epoch at_least);

    /// Steps T4 and T5.
    /// Errors: not_active (none) if another member has claimed a higher epoch; no_space,
    ///         disk_failed (none).
    [[nodiscard]] Result<void> publish();

    /// Steps T6 to T8. `heard` is everything that was committed before. `journal` is the journal
    /// that it belongs to (0: nothing was heard).
    /// Errors: corrupt (none): says which entry; not_active, no_space, disk_failed (none).
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

    SharedNames before_;    ///< As they were before the claim was made.
    bool settled_ = false;  ///< No segment has got a name since then.
    bool scanned_ = false;
    std::uint32_t journal_ = 0;  ///< As the seals say; 0: no seal was read.
    Epoch head_;               ///< The epoch that is taken over from.
    std::deque<Copy> copies_;  ///< The entries after `at_` or after `heard`, whichever is lower.
    Chain at_;                 ///< Its last entry is the last one known to be durable.
    Chain last_;               ///< Its last entry is the last readable one.
    SharedCursor::Position end_;

    SharedTenure out_;
};

}  // namespace understudy::journal
