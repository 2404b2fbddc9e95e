#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "journal/format/chain.h"
#include "journal/format/segment.h"
#include "journal/journal.h"

namespace understudy::journal {

/// So many batches of a journal are being flushed at a time.
inline constexpr std::size_t flushes_in_flight_max = 2;

/// A second batch follows the first at once only if it is worth a flush of its own: up to here a
/// flush costs the same whatever its size, so fewer bytes had better wait for company.
inline constexpr std::uint64_t full_batch_bytes = 64 * KiB;

/// Longer batches come from many commands under way; while one is written the loop has work to do.
inline constexpr std::size_t inline_flush_bytes_max = 16 * KiB;

/// The end of what is written, or is on its way to the disk.
struct Tail {
    std::uint64_t generation = 0;
    std::uint64_t segment_bytes = 0;
    std::uint64_t used_bytes = 0;
    Chain chain;
};

/// Entries that somebody wants next to each other.
struct Append {
    std::vector<Draft> drafts;
    Urgency urgency = Urgency::ordinary;
    Journal::Appended done;  ///< Empty for a mark of our own.
    bool admitted = false;   ///< By Batcher::admit(): waits for space rather than be refused.
};

/// What one write and one sync make durable.
struct Batch {
    struct Placed {
        Index index;
        EntryType type = EntryType::command;
        std::uint32_t checksum = 0;
        std::size_t body_offset = 0;  ///< In `bytes`.
        std::size_t body_bytes = 0;
    };
    struct Acknowledgement {
        std::size_t entries = 0;  ///< How many of `placed` it is about, after those before.
        Journal::Appended done;
    };

    std::uint64_t generation = 0;  ///< Of the segment.
    std::uint64_t offset = 0;      ///< In the segment.
    bool begins_segment = false;   ///< Goes to the reserve, which is the segment from now on.
    Buffer bytes;
    std::vector<Placed> placed;
    std::vector<Acknowledgement> acknowledgements;
};

/// Decides which appends are written next, where, and which are refused before any write.
///
/// Appends collect while a flush is in flight; form() packs what has collected into one batch, up
/// to `batch_bytes_max`, promotions first. A batch lies in one segment. When the next append does
/// not fit, the reserve becomes the segment and another reserve is wanted.
///
/// Invariant, which is what keeps room for promotions on a full disk: either a reserve is ready, or
/// ordinary appends have filled the segment no further than ordinary_limit().
///
/// Thread: the owner's. Pure: no I/O, no clock.
/// Bounds: `queue_bytes_max` encoded bytes wait per urgency; what exceeds it is refused.
/// Source: docs/formats/journal.md, section "Full disk".
class Batcher {
public:
    /// The segment that comes after the present one, zeros only.
    enum class Reserve {
        wanted,  ///< Not there. Appends that need it wait for what comes of making it.
        failed,  ///< Could not be made. Appends that need it are refused.
        ready,
    };

    static constexpr std::uint64_t batch_bytes_max = 1 * MiB;

    struct Options {
        std::uint64_t segment_bytes = 0;  ///< Of reserves to come.
        std::uint64_t queue_bytes_max = 0;
    };

    struct Formed {
        std::optional<Batch> batch;   ///< Nothing to write now if absent.
        std::vector<Append> refused;  ///< For want of space; nothing of them was written.
    };

    Batcher(const Tail& tail, Reserve reserve, Options options);

    /// Takes over `append`, or leaves it as it is and says why not.
    /// Requires: its drafts are not empty; commands and marks only.
    /// Errors: limit_exceeded, no_space (none).
    [[nodiscard]] Result<void> offer(Append& append);

    /// Is there room for `bytes` encoded bytes more? For those who must know at once: what is
    /// queued then, admitted, is never refused and keeps its order. Should the reserve fail after
    /// all, it takes the room of promotions, and waits for space when that is used up.
    /// Errors: limit_exceeded, no_space (none).
    [[nodiscard]] Result<void> admit(std::uint64_t bytes, Urgency urgency);
    void queue_admitted(Append append);

    /// Packs the next batch, as if it were written: later ones go behind it.
    [[nodiscard]] Formed form();

    void reserve_made();
    void reserve_reused();  ///< Made of a segment that is needed no more, and not zeros therefore.
    void reserve_failed(std::string why = {});  ///< What refused appends are told.

    /// Gives back the bytes of a batch that nobody needs any more, for the next one: a long buffer
    /// is dear to make anew, page by page.
    void reuse(Buffer bytes);

    /// Everything that waits, in the order in which it would have been written.
    [[nodiscard]] std::vector<Append> take_waiting();

    /// Why an append is refused for want of space.
    [[nodiscard]] Error no_space() const;

    [[nodiscard]] Space space() const { return space_; }
    [[nodiscard]] Reserve reserve() const { return reserve_; }
    /// None is ready, and it will be needed: a quarter of the segment is used, or somebody waits
    /// for it. Whoever makes it no sooner leaves the disk in peace.
    [[nodiscard]] bool reserve_is_due() const {
        const bool filling = tail_.used_bytes >= tail_.segment_bytes / 4;
        return reserve_ != Reserve::ready && (filling || awaited_);
    }
    [[nodiscard]] const Tail& tail() const { return tail_; }
    [[nodiscard]] std::uint64_t waiting_bytes() const {
        return promotions_.bytes + ordinary_.bytes;
    }
    [[nodiscard]] bool idle() const {
        return promotions_.appends.empty() && ordinary_.appends.empty();
    }
    /// Nothing but a mark was written last: one more would add nothing.
    [[nodiscard]] bool marked() const { return last_type_ == EntryType::mark; }

private:
    enum class Where { here, in_reserve, later, nowhere };

    struct Queue {
        std::deque<Append> appends;
        std::uint64_t bytes = 0;  ///< Encoded.
    };

    [[nodiscard]] Where where(std::uint64_t bytes, const Append& append) const;
    [[nodiscard]] Queue& queue(Urgency urgency);
    [[nodiscard]] Queue* next_queue();
    Append pop(Queue& queue);
    void begin_segment(Batch& batch);
    void write(Append append, Index synced, Batch& batch);
    const Options options_;
    Tail tail_;
    Reserve reserve_;
    std::string why_failed_;
    bool reserve_is_reused_ = false;
    bool awaited_ = false;  ///< The reserve, by the append that comes next.
    Space space_ = Space::ok;
    EntryType last_type_ = EntryType::tenure;
    std::uint32_t seed_;
    Queue promotions_;
    Queue ordinary_;
    Buffer spare_;  ///< Empty, with room.
};

}  // namespace understudy::journal
