#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "journal/appender.h"
#include "journal/directory_hold.h"
#include "runtime/worker.h"

namespace understudy::journal {

/// What the local and the shared journal have in common where they carry out the decisions of an
/// Appender.

/// Where `flush` runs. See inline_flush_bytes_max.
[[nodiscard]] inline Worker::Place place_of(const Flush& flush) {
    return flush.bytes.size() <= inline_flush_bytes_max ? Worker::Place::inline_if_idle
                                                        : Worker::Place::worker_thread;
}

/// Writes and syncs `flush`. If it looks first, and the directory or the segment was removed or
/// replaced, nothing is written from now on. Thread: the journal worker.
template <class Writer>
void look_and_write(Writer& writer, DirectoryHold& hold, Flush& flush) {
    if (std::exchange(flush.looks_first, false)) {
        auto there = hold.look();
        if (there) there = writer.look(flush, flush.path);
        if (!there) writer.give_up(std::move(there).error());
    }
    writer.run(flush);
}

/// Reports a durable batch: gives each entry to `hear`, and calls the caller of an append after its
/// entries. False if one of them destroyed the journal, whose life is `journal`.
template <class Hear>
[[nodiscard]] bool deliver(const InFlight& durable, const Lifetime::Watch& journal, Hear hear) {
    const Bytes bytes = durable.flush->bytes;
    const std::vector<Batch::Placed>& placed = durable.batch.placed;
    std::size_t next = 0;
    for (const Batch::Acknowledgement& append : durable.batch.acknowledgements) {
        for (std::size_t i = 0; i < append.entries; ++i, ++next) {
            hear(placed[next], bytes.subspan(placed[next].body_offset, placed[next].body_bytes));
            if (journal.ended()) return false;
        }
        if (append.done) append.done(placed[next - 1].index);
        if (journal.ended()) return false;
    }
    US_ASSERT(next == placed.size());
    return true;
}

/// Answers `appends` with `error`. False if an answer destroyed the journal.
[[nodiscard]] inline bool refuse(const std::vector<Append>& appends, const Error& error,
                                 const Lifetime::Watch& journal) {
    for (const Append& append : appends) {
        if (append.done) append.done(error);
        if (journal.ended()) return false;
    }
    return true;
}

/// Answers all appends after the end of a tenure: with `written` if their entries may be on the
/// disk, otherwise with `waiting`. False if an answer destroyed the journal.
[[nodiscard]] inline bool refuse(const Appender::Untold& untold, const Error& written,
                                 const Error& waiting, const Lifetime::Watch& journal) {
    for (const InFlight& one : untold.in_flight) {
        for (const Batch::Acknowledgement& append : one.batch.acknowledgements) {
            if (append.done) append.done(written);
            if (journal.ended()) return false;
        }
    }
    return refuse(untold.waiting, waiting, journal);
}

/// Logs the parts of `turn` that an operator should know.
inline void log_turn(Log& log, const std::string& directory, std::uint64_t queue_bytes_max,
                     const Appender::Turn& turn) {
    if (turn.queue_bytes) {
        log.warn("journal.queue",
                 {kv("directory", directory), kv("waiting_bytes", *turn.queue_bytes),
                  kv("limit_bytes", queue_bytes_max)});
    }
    if (turn.space) {
        log.warn("journal.space", {kv("directory", directory),
                                   kv("space", *turn.space == Space::ok ? "ok" : "reserve_only")});
    }
}

}  // namespace understudy::journal
