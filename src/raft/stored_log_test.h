#pragma once

#include <deque>
#include <optional>

#include "base/random.h"
#include "consensus/core.h"

namespace understudy::raft {

/// The state of a state machine of the simulation: the last applied index, and a hash of everything
/// that it was given.
struct Applied {
    Index index;
    std::uint64_t hash = 0;
};

struct Checkpoint {
    consensus::SnapshotRef ref;
    Applied applied;
};

/// A server's log, in memory or on its disk.
struct StoredLog {
    consensus::HardState hard;
    std::optional<Checkpoint> checkpoint;
    Index first{1};
    std::deque<consensus::LogEntry> entries;

    [[nodiscard]] Index last() const { return {first.value + entries.size() - 1}; }
    [[nodiscard]] const consensus::LogEntry& at(Index index) const {
        US_ASSERT(index >= first && index <= last());
        return entries[static_cast<std::size_t>(index.value - first.value)];
    }
    void cut(Index from) {
        while (last() >= from && !entries.empty()) entries.pop_back();
    }
    void trim(Index new_first) {
        while (!entries.empty() && first < new_first) {
            entries.pop_front();
            first = first.next();
        }
        if (entries.empty() && first < new_first) first = new_first;
    }
};

/// One write to the disk. Writes are done in order, and a crash loses the last ones.
struct DiskWrite {
    std::optional<consensus::HardState> hard;
    std::optional<consensus::PersistEntries> entries;
    std::optional<Checkpoint> installed;  ///< Replaces the log.
    std::optional<Checkpoint> taken;

    void apply_to(StoredLog& log) const {
        if (hard) log.hard = *hard;
        if (entries) apply_entries(log, entries->entries.size());
        if (installed) {
            log.checkpoint = installed;
            log.entries.clear();
            log.first = installed->ref.index.next();
        }
        if (taken && (!log.checkpoint || log.checkpoint->ref.index < taken->ref.index)) {
            log.checkpoint = taken;
        }
    }
    /// Only the first `count` entries reach the disk.
    void apply_entries(StoredLog& log, std::size_t count) const {
        US_ASSERT(entries->from.value <= log.last().value + 1);
        log.cut(entries->from);
        for (std::size_t i = 0; i < count; ++i) log.entries.push_back(entries->entries[i]);
    }
};

}  // namespace understudy::raft
