#include "journal/batcher.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace understudy::journal {

namespace {

// What one idle journal keeps for its next batch.
constexpr std::uint64_t spare_bytes_max = Batcher::batch_bytes_max + segment_header_bytes;

std::uint64_t encoded_bytes(const Append& append) {
    std::uint64_t bytes = 0;
    for (const Draft& draft : append.drafts) bytes += journal::encoded_bytes(draft.body.size());
    return bytes;
}

bool is_mark(const Append& append) { return append.drafts.front().type == EntryType::mark; }

}  // namespace

Batcher::Batcher(const Tail& tail, Reserve reserve, Options options)
    : options_(options), tail_(tail), reserve_(reserve), seed_(checksum_seed(tail.generation)) {
    US_ASSERT(tail.used_bytes >= segment_header_bytes);
    US_ASSERT(tail.used_bytes <= tail.segment_bytes);
}

Result<void> Batcher::offer(Append& append) {
    US_ASSERT(!append.drafts.empty());
    const std::uint64_t bytes = encoded_bytes(append);
    const std::uint64_t bytes_max = append_bytes_max(options_.segment_bytes);
    if (bytes > bytes_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} bytes to append, {} at most", bytes, bytes_max)};
    }
    for (const Draft& draft : append.drafts) {
        US_ASSERT(draft.type != EntryType::tenure);
        if (draft.body.size() > body_bytes_max) {
            return Error{.code = Errc::limit_exceeded,
                         .detail = fmt::format("a body of {} bytes, {} at most", draft.body.size(),
                                               body_bytes_max)};
        }
    }
    Queue& line = queue(append.urgency);
    if (line.bytes + bytes > options_.queue_bytes_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} bytes wait for the disk already", line.bytes)};
    }
    if (append.urgency == Urgency::ordinary && space_ == Space::reserve_only) return no_space();

    line.bytes += bytes;
    line.appends.push_back(std::move(append));
    return {};
}

Result<void> Batcher::admit(std::uint64_t bytes, Urgency urgency) {
    if (ordinary_.bytes + bytes > options_.queue_bytes_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("{} bytes wait for the disk already", ordinary_.bytes)};
    }
    if (reserve_ != Reserve::failed) return {};
    const bool ordinary = urgency == Urgency::ordinary;
    const std::uint64_t limit =
        ordinary ? ordinary_limit(tail_.segment_bytes) : promotion_limit(tail_.segment_bytes);
    const bool fits = tail_.used_bytes + ordinary_.bytes + bytes <= limit;
    if (!fits && ordinary) space_ = Space::reserve_only;
    if (!fits || (ordinary && space_ == Space::reserve_only)) return no_space();
    return {};
}

void Batcher::queue_admitted(Append append) {
    append.admitted = true;
    append.urgency = Urgency::ordinary;  // All admitted appends have one order.
    ordinary_.bytes += encoded_bytes(append);
    ordinary_.appends.push_back(std::move(append));
}

Batcher::Formed Batcher::form() {
    Formed formed;
    if (idle()) return formed;
    Batch batch;
    batch.bytes = std::exchange(spare_, {});
    batch.bytes.reserve(static_cast<std::size_t>(std::min(waiting_bytes(), batch_bytes_max) +
                                                 segment_header_bytes));
    // It is true when this batch reaches the disk: a batch is written only after the sync of the
    // batch before it has returned.
    const Index synced = tail_.chain.last;
    for (Queue* line = next_queue(); line != nullptr; line = next_queue()) {
        const Append& head = line->appends.front();
        const std::uint64_t bytes = encoded_bytes(head);
        if (!batch.bytes.empty() && batch.bytes.size() + bytes > batch_bytes_max) break;

        const Where where = this->where(bytes, head);
        if (where == Where::later) {
            awaited_ = true;
            break;
        }
        if (where == Where::nowhere) {
            if (head.urgency == Urgency::ordinary && !is_mark(head)) space_ = Space::reserve_only;
            formed.refused.push_back(pop(*line));
            continue;
        }
        if (where == Where::in_reserve) {
            if (!batch.bytes.empty()) break;  // A batch lies in one segment.
            begin_segment(batch);
        } else if (batch.bytes.empty()) {
            batch.offset = tail_.used_bytes;
        }
        write(pop(*line), synced, batch);
    }
    if (batch.bytes.empty()) {
        reuse(std::move(batch.bytes));
    } else {
        batch.generation = tail_.generation;
        formed.batch = std::move(batch);
    }
    US_ASSERT(tail_.used_bytes <= tail_.segment_bytes);
    return formed;
}

void Batcher::reserve_made() {
    US_ASSERT(reserve_ != Reserve::ready);
    reserve_ = Reserve::ready;
    reserve_is_reused_ = false;
    awaited_ = false;
    space_ = Space::ok;
}

void Batcher::reserve_reused() {
    reserve_made();
    reserve_is_reused_ = true;
}

void Batcher::reserve_failed(std::string why) {
    US_ASSERT(reserve_ != Reserve::ready);
    reserve_ = Reserve::failed;
    why_failed_ = std::move(why);
}

void Batcher::reuse(Buffer bytes) {
    if (bytes.capacity() > spare_bytes_max || bytes.capacity() <= spare_.capacity()) return;
    bytes.clear();
    spare_ = std::move(bytes);
}

std::vector<Append> Batcher::take_waiting() {
    std::vector<Append> waiting;
    for (Queue* line = next_queue(); line != nullptr; line = next_queue()) {
        waiting.push_back(pop(*line));
    }
    return waiting;
}

Batcher::Where Batcher::where(std::uint64_t bytes, const Append& append) const {
    const bool promotion = append.urgency == Urgency::promotion;
    std::uint64_t limit = tail_.segment_bytes;
    if (reserve_ != Reserve::ready) {
        const bool all = promotion || (append.admitted && reserve_ == Reserve::failed);
        limit = all ? promotion_limit(tail_.segment_bytes) : ordinary_limit(tail_.segment_bytes);
        const bool refused = space_ == Space::reserve_only && !promotion && !append.admitted;
        if (refused) return Where::nowhere;
    }
    if (tail_.used_bytes + bytes <= limit) return Where::here;
    switch (reserve_) {
        case Reserve::ready:
            return Where::in_reserve;
        case Reserve::wanted:
            return Where::later;
        case Reserve::failed:
            break;
    }
    return append.admitted ? Where::later : Where::nowhere;
}

Batcher::Queue& Batcher::queue(Urgency urgency) {
    return urgency == Urgency::promotion ? promotions_ : ordinary_;
}

Batcher::Queue* Batcher::next_queue() {
    if (!promotions_.appends.empty()) return &promotions_;
    return ordinary_.appends.empty() ? nullptr : &ordinary_;
}

Append Batcher::pop(Queue& line) {
    Append append = std::move(line.appends.front());
    line.appends.pop_front();
    line.bytes -= encoded_bytes(append);
    return append;
}

void Batcher::begin_segment(Batch& batch) {
    US_ASSERT(reserve_ == Reserve::ready);
    reserve_ = Reserve::wanted;
    tail_.generation += 1;
    tail_.segment_bytes = options_.segment_bytes;
    tail_.used_bytes = segment_header_bytes;
    seed_ = checksum_seed(tail_.generation);

    batch.begins_segment = true;
    batch.offset = 0;
    encode(SegmentHeader{.generation = tail_.generation,
                         .size_bytes = tail_.segment_bytes,
                         .first = tail_.chain.last.next(),
                         .previous = tail_.chain.checksum,
                         .reused = reserve_is_reused_},
           batch.bytes);
}

void Batcher::write(Append append, Index synced, Batch& batch) {
    for (const Draft& draft : append.drafts) {
        const Entry entry{.index = tail_.chain.last.next(),
                          .epoch = tail_.chain.epoch,
                          .type = draft.type,
                          .body = draft.body};
        const std::size_t start = batch.bytes.size();
        const Link link{.previous = tail_.chain.checksum, .synced = synced};
        const std::uint32_t checksum = encode(entry, link, seed_, batch.bytes);

        batch.placed.push_back({.index = entry.index,
                                .type = entry.type,
                                .checksum = checksum,
                                .body_offset = start + entry_header_bytes,
                                .body_bytes = draft.body.size()});
        tail_.chain.last = entry.index;
        tail_.chain.checksum = checksum;
        tail_.used_bytes += batch.bytes.size() - start;
        last_type_ = entry.type;
    }
    batch.acknowledgements.push_back(
        {.entries = append.drafts.size(), .done = std::move(append.done)});
}

Error Batcher::no_space() const {
    return {.code = Errc::no_space,
            .detail = fmt::format("{}; what room is left is kept for promotions",
                                  why_failed_.empty() ? "the disk is full" : why_failed_)};
}

}  // namespace understudy::journal
