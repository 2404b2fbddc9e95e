#include "journal/appender.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/errors.h"

namespace understudy::journal {

namespace {

// After this time, a batch that found no descriptor or no memory is written again.
constexpr Duration shortage_retry = 20ms;

/// True once when `due` has come.
bool comes_due(std::optional<TimePoint>& due, TimePoint now) {
    if (!due || *due > now) return false;
    due.reset();
    return true;
}

}  // namespace

Appender::Appender(const Tail& tail, const Options& options)
    : options_(options),
      batcher_(
          tail, Batcher::Reserve::wanted,
          {.segment_bytes = options.segment_bytes, .queue_bytes_max = options.queue_bytes_max}) {}

Appender::Turn Appender::turn(TimePoint now) {
    Turn turn;
    const std::uint64_t waiting = batcher_.waiting_bytes();
    if (queue_.rises(waiting, options_.queue_bytes_max)) turn.queue_bytes = waiting;
    write_again(turn, now);
    mark(now);
    form(turn);
    drain(turn);

    comes_due(reserve_retry_, now);
    if (wants_reserve()) {
        making_reserve_ = true;
        turn.make_reserve = batcher_.tail().generation + 1;
    }
    if (batcher_.space() != told_space_) {
        told_space_ = batcher_.space();
        turn.space = told_space_;
    }
    turn.wake = wake(now);
    return turn;
}

InFlight Appender::written(const std::shared_ptr<Flush>& flush) {
    US_ASSERT(stalled_ == 0);
    US_ASSERT(!in_flight_.empty());
    US_ASSERT(in_flight_.front().flush == flush);
    stall_told_ = false;
    InFlight one = std::move(in_flight_.front());
    in_flight_.pop_front();
    return one;
}

bool Appender::stalled(const std::shared_ptr<Flush>& flush, TimePoint now) {
    US_ASSERT(stalled_ < in_flight_.size());
    US_ASSERT(in_flight_[stalled_].flush == flush);
    if (++stalled_ == 1) write_again_ = now + shortage_retry;
    return !std::exchange(stall_told_, true);
}

void Appender::reserve_made(std::unique_ptr<File> file, bool reused) {
    US_ASSERT(file != nullptr);
    making_reserve_ = false;
    reserve_failing_ = false;
    reserve_ = std::move(file);
    reused ? batcher_.reserve_reused() : batcher_.reserve_made();
}

bool Appender::reserve_failed(const Error& error, TimePoint now) {
    making_reserve_ = false;
    reserve_retry_ = now + options_.reserve_retry_interval;
    // In a shortage the disk is not full, so appends that need the segment wait for the next try.
    // in_use: another member took this owner for dead, claimed an epoch and removed its file. The
    // next reading of the epoch shows that.
    const bool waits = is_shortage(error.code) || error.code == Errc::in_use;
    if (!waits) batcher_.reserve_failed(error.detail);
    return !std::exchange(reserve_failing_, true);
}

bool Appender::drained() const {
    return leaving_ && at_rest() && (batcher_.marked() || mark_offered_);
}

Appender::Untold Appender::end() {
    return {.in_flight = std::exchange(in_flight_, {}), .waiting = batcher_.take_waiting()};
}

/// While one batch is in flight, the next one follows only if it is worth a flush of its own.
void Appender::form(Turn& turn) {
    while (in_flight_.size() < flushes_in_flight_max) {
        if (!in_flight_.empty() && batcher_.waiting_bytes() < full_batch_bytes) return;
        Batcher::Formed formed = batcher_.form();
        if (!formed.refused.empty()) {
            turn.refusal = batcher_.no_space();
            std::move(formed.refused.begin(), formed.refused.end(),
                      std::back_inserter(turn.refused));
        }
        if (!formed.batch) return;

        Batch& batch = *formed.batch;
        US_ASSERT(!batch.placed.empty());
        auto flush = std::make_shared<Flush>();
        flush->offset = batch.offset;
        flush->bytes = std::move(batch.bytes);
        if (batch.begins_segment) {
            US_ASSERT(reserve_ != nullptr);
            flush->next_segment = std::move(reserve_);
        }
        in_flight_.push_back({.batch = std::move(batch), .flush = std::move(flush)});
        write(turn, in_flight_.back());
    }
}

void Appender::write(Turn& turn, const InFlight& one) {
    const auto free = std::find(turn.writes.begin(), turn.writes.end(), nullptr);
    US_ASSERT(free != turn.writes.end());
    *free = &one;
}

/// Writes the stalled batches again in their order, when all batches in flight have come back.
void Appender::write_again(Turn& turn, TimePoint now) {
    if (!comes_due(write_again_, now)) return;
    if (stalled_ < in_flight_.size()) {
        write_again_ = now + shortage_retry;
        return;
    }
    stalled_ = 0;
    for (const InFlight& one : in_flight_) write(turn, one);
}

/// After a rest, a mark says that the last entry is durable. From then on, damage to that entry can
/// be distinguished from a torn end, and standbys of a shared journal read the entry without a
/// prompt. While entries come, each one says it of the entries before it.
void Appender::mark(TimePoint now) {
    const bool due = comes_due(mark_due_, now);
    if (leaving_ || batcher_.marked()) return;
    if (due && at_rest()) return offer_mark();
    if (!mark_due_) mark_due_ = now + options_.mark_after;
}

void Appender::offer_mark() {
    Append mark{.drafts = {}, .done = {}};
    mark.drafts.push_back({.type = EntryType::mark, .body = {}});
    // It is refused on a full disk, where the room is kept for promotions.
    static_cast<void>(batcher_.offer(mark));
}

void Appender::drain(Turn& turn) {
    if (!leaving_ || !in_flight_.empty()) return;
    refuse_stuck(turn);
    if (!batcher_.idle() || batcher_.marked() || mark_offered_) return;
    mark_offered_ = true;
    offer_mark();
    form(turn);
    if (in_flight_.empty()) refuse_stuck(turn);
}

/// Appends that wait for room on the disk, or for a descriptor, would keep the journal open.
void Appender::refuse_stuck(Turn& turn) {
    if (batcher_.idle() || making_reserve_) return;
    const bool full = batcher_.reserve() == Batcher::Reserve::failed;
    if (!full && !reserve_retry_) return;
    std::vector<Append> stuck = batcher_.take_waiting();
    turn.refusal = full ? batcher_.no_space() : *leaving_;
    std::move(stuck.begin(), stuck.end(), std::back_inserter(turn.refused));
}

bool Appender::wants_reserve() const {
    if (batcher_.reserve() == Batcher::Reserve::ready || making_reserve_ || reserve_retry_) {
        return false;
    }
    if (options_.reserve == ReserveTime::when_due && !batcher_.reserve_is_due()) return false;
    if (leaving_ && batcher_.idle()) return false;
    // The reserve says that the first entries of the present segment are durable. So it is made
    // only when they are.
    return std::none_of(in_flight_.begin(), in_flight_.end(),
                        [](const InFlight& one) { return one.batch.begins_segment; });
}

std::optional<TimePoint> Appender::wake(TimePoint now) {
    if (wake_ && *wake_ <= now) wake_.reset();
    std::optional<TimePoint> first;
    for (const auto& due : {reserve_retry_, mark_due_, write_again_}) {
        if (due && (!first || *due < *first)) first = due;
    }
    if (!first || (wake_ && *wake_ <= *first)) return std::nullopt;
    return wake_ = first;
}

}  // namespace understudy::journal
