#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "journal/format/chain.h"
#include "journal/format/segment.h"
#include "journal/journal.h"

namespace understudy::journal {

/// How many batches of a journal are flushed at the same time, at most.
inline constexpr std::size_t flushes_in_flight_max = 2;

/// A second batch follows the first at once only if it has at least this many bytes. Up to this
/// size every flush costs the same, so a shorter batch waits for more entries.
inline constexpr std::uint64_t full_batch_bytes = 64 * KiB;

/// Longer batches are flushed on the worker thread: many commands are under way then, and the loop
/// has other work during the write.
inline constexpr std::size_t inline_flush_bytes_max = 16 * KiB;

/// The end of what is written, or is on its way to the disk.
struct Tail {
    std::uint64_t generation = 0;
    std::uint64_t segment_bytes = 0;
    std::uint64_t used_bytes = 0;
    Chain chain;
};

/// Entries that are appended together, next to each other.
struct Append {
    std::vector<Draft> drafts;
    Urgency urgency = Urgency::ordinary;
    Journal::Appended done;  ///< Empty for a mark of our own.
    bool admitted = false;  ///< By Batcher::admit(): the append waits for space and is not refused.
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
        std::size_t entries = 0;  ///< How many entries of `placed` belong to it.
        Journal::Appended done;
    };

    std::uint64_t generation = 0;  ///< Of the segment.
    std::uint64_t offset = 0;      ///< In the segment.
    bool begins_segment = false;   ///< It goes to the reserve, which becomes the segment.
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
/// Invariant: either a reserve is ready, or ordinary appends have filled the segment no further
/// than ordinary_limit(). This keeps room for promotions on a full disk.
///
/// Thread: the owner's. Pure: no I/O, no clock.
/// Bounds: at most `queue_bytes_max` encoded bytes wait per urgency; further appends are refused.
/// Source: docs/formats/journal.md, section "Full disk".
class Batcher {
public:
    /// The segment that comes after the present one.
    enum class Reserve {
        wanted,  ///< Not made yet. Appends that need it wait until it is made or has failed.
        failed,  ///< Could not be made. Appends that need it are refused.
        ready,
    };

    static constexpr std::uint64_t batch_bytes_max = 1 * MiB;

    struct Options {
        std::uint64_t segment_bytes = 0;  ///< Of reserves to come.
        std::uint64_t queue_bytes_max = 0;
    };

    struct Formed {
        std::optional<Batch> batch;   ///< Absent if there is nothing to write now.
        std::vector<Append> refused;  ///< No space: nothing of them was written.
    };

    Batcher(const Tail& tail, Reserve reserve, Options options);

    /// Takes over `append`. After an error `append` is unchanged.
    /// Requires: its drafts are not empty; commands and marks only.
    /// Errors: limit_exceeded, no_space (none).
    [[nodiscard]] Result<void> offer(Append& append);

    /// Checks whether there is room for `bytes` more encoded bytes. It is for callers that must
    /// know at once: appends that are queued as admitted are never refused and keep their order. If
    /// the reserve fails later, they use the room of promotions. When that is used up, they wait
    /// for space.
    /// Errors: limit_exceeded, no_space (none).
    [[nodiscard]] Result<void> admit(std::uint64_t bytes, Urgency urgency);
    void queue_admitted(Append append);

    /// Packs the next batch. Later batches are placed after it, as if it were already written.
    [[nodiscard]] Formed form();

    void reserve_made();
    void reserve_reused();  ///< It was made of a retired segment, so it does not contain zeros.
    void reserve_failed(std::string why = {});  ///< `why` goes to the appends that are refused.

    /// Takes the buffer of a batch that is no longer needed, for the next batch. Allocating a long
    /// buffer again, page by page, is expensive.
    void reuse(Buffer bytes);

    /// All waiting appends, in the order in which they would have been written.
    [[nodiscard]] std::vector<Append> take_waiting();

    /// The error of an append that is refused because there is no space.
    [[nodiscard]] Error no_space() const;

    [[nodiscard]] Space space() const { return space_; }
    [[nodiscard]] Reserve reserve() const { return reserve_; }
    /// No reserve is ready, and it is needed soon: a quarter of the segment is used, or an append
    /// waits for the reserve.
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
    /// The last entry that was written is a mark. Another mark would have no use.
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
    bool awaited_ = false;  ///< The next append needs the reserve.
    Space space_ = Space::ok;
    EntryType last_type_ = EntryType::tenure;
    std::uint32_t seed_;
    Queue promotions_;
    Queue ordinary_;
    Buffer spare_;  ///< Empty, with allocated memory.
};

}  // namespace understudy::journal
