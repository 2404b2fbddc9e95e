#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/high_water.h"
#include "journal/batcher.h"
#include "journal/format/segment_writer.h"

namespace understudy::journal {

/// A batch on its way to the disk and back.
struct InFlight {
    Batch batch;                   ///< Its bytes are in `flush`.
    std::shared_ptr<Flush> flush;  ///< The journal worker has it too.
};

/// Takes appends from their offer to their acknowledgement, in one tenure.
///
/// The local and the shared journal append with it. It decides what is written next, when the next
/// segment is made, when a mark follows the last entry, what is refused when the disk is full, and
/// when everything is written. The journal carries that out and reports the result. The appender
/// holds the reserve's file for it and never calls the file.
///
/// After each event the journal calls turn(). After an offer it does that at the end of the loop's
/// turn, so that all appends of one turn share a flush.
///
/// Thread: the owner's. No I/O, no clock.
/// Bounds: those of Batcher; flushes_in_flight_max batches are in flight.
class Appender {
public:
    /// When the next segment is made.
    enum class ReserveTime {
        /// As soon as the first entries of the present segment are durable. For a journal in which
        /// only the reserve says that the present segment was begun. Until there is a reserve, the
        /// loss of that whole segment cannot be noticed.
        at_once,
        /// When Batcher::reserve_is_due(). For a journal that writes elsewhere which segment it has
        /// begun. The start of a tenure is faster if no reserve is written at the same time.
        when_due,
    };

    struct Options {
        std::uint64_t segment_bytes = 0;  ///< Of segments to come.
        std::uint64_t queue_bytes_max = 0;
        ReserveTime reserve = ReserveTime::at_once;
        Duration reserve_retry_interval{};
        Duration mark_after{};  ///< How long it is at rest before it writes a mark.
    };

    /// What the journal must do now, in this order.
    struct Turn {
        /// How many bytes wait, if that is most of what may wait. To be logged.
        std::optional<std::uint64_t> queue_bytes;
        /// To be written, in this order. Null: no more. Valid until the next event.
        std::array<const InFlight*, flushes_in_flight_max> writes{};
        /// The generation of a reserve to be made. Its result is reserve_made() or
        /// reserve_failed().
        std::optional<std::uint64_t> make_reserve;
        /// When turn() is to be called at the latest. It replaces what an earlier turn said.
        std::optional<TimePoint> wake;
        std::vector<Append> refused;  ///< With `refusal`; nothing of them was written.
        std::optional<Error> refusal;
        std::optional<Space> space;  ///< It has changed.
    };

    /// Everything that was accepted and has not been acknowledged.
    struct Untold {
        std::deque<InFlight> in_flight;  ///< May be on the disk.
        std::vector<Append> waiting;     ///< None of it has been written.
    };

    Appender(const Tail& tail, const Options& options);

    /// As Batcher::offer(), admit() and queue_admitted().
    [[nodiscard]] Result<void> offer(Append& append) { return batcher_.offer(append); }
    [[nodiscard]] Result<void> admit(std::uint64_t bytes, Urgency urgency) {
        return batcher_.admit(bytes, urgency);
    }
    void queue_admitted(Append append) { batcher_.queue_admitted(std::move(append)); }

    [[nodiscard]] Turn turn(TimePoint now);

    /// `flush` is durable. The result goes to deliver(), and the bytes of the flush then to
    /// reuse().
    [[nodiscard]] InFlight written(const std::shared_ptr<Flush>& flush);
    void reuse(Buffer bytes) { batcher_.reuse(std::move(bytes)); }

    /// `flush` found no descriptor or no memory, and must be run again before any later one. It
    /// comes again in Turn::writes after a short time, when all batches in flight have come back.
    /// True if that is to be logged: it is the first since a batch was written.
    [[nodiscard]] bool stalled(const std::shared_ptr<Flush>& flush, TimePoint now);

    /// `reused`: see SegmentHeader::reused.
    void reserve_made(std::unique_ptr<File> file, bool reused);
    /// It is tried again. True if that is to be logged: it is the first since a reserve was made.
    [[nodiscard]] bool reserve_failed(const Error& error, TimePoint now);
    /// For a worker that closes it.
    [[nodiscard]] std::unique_ptr<File> take_reserve() { return std::move(reserve_); }

    /// Nothing is offered after this. What was accepted is written, and then a mark. Appends that
    /// wait for a segment that cannot be made now are refused: with no_space if the disk is full,
    /// otherwise with `why`.
    void leave(Error why) { leaving_ = std::move(why); }
    /// After leave(): everything is written or refused.
    [[nodiscard]] bool drained() const;

    /// Ends the tenure at once. After this only take_reserve() and told_space() are called.
    [[nodiscard]] Untold end();

    /// Why ordinary appends are refused. Requires: space() is reserve_only.
    [[nodiscard]] Error no_space() const { return batcher_.no_space(); }
    [[nodiscard]] Space space() const { return batcher_.space(); }
    [[nodiscard]] Space told_space() const { return told_space_; }  ///< By the last turn.
    [[nodiscard]] const Tail& tail() const { return batcher_.tail(); }

private:
    [[nodiscard]] bool at_rest() const { return in_flight_.empty() && batcher_.idle(); }
    void form(Turn& turn);
    void write(Turn& turn, const InFlight& one);
    void write_again(Turn& turn, TimePoint now);
    void mark(TimePoint now);
    void offer_mark();
    void drain(Turn& turn);
    void refuse_stuck(Turn& turn);
    [[nodiscard]] bool wants_reserve() const;
    [[nodiscard]] std::optional<TimePoint> wake(TimePoint now);

    const Options options_;
    Batcher batcher_;
    std::deque<InFlight> in_flight_;
    HighWater queue_;
    Space told_space_ = Space::ok;

    std::unique_ptr<File> reserve_;
    bool making_reserve_ = false;
    std::optional<TimePoint> reserve_retry_;  ///< Not before that.
    bool reserve_failing_ = false;            ///< Has been told.

    std::optional<TimePoint> mark_due_;
    std::size_t stalled_ = 0;  ///< So many of in_flight_, from the front, are written again.
    std::optional<TimePoint> write_again_;
    bool stall_told_ = false;
    std::optional<TimePoint> wake_;  ///< The last Turn::wake, unless it has passed.

    std::optional<Error> leaving_;
    bool mark_offered_ = false;  ///< While leaving. Once is enough.
};

}  // namespace understudy::journal
