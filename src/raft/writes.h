#pragma once

#include <algorithm>
#include <deque>

#include "consensus/core.h"

namespace understudy::raft {

/// Writes that the host has not reported yet, and what each write still says about the log.
///
/// An entry may be cut while its write is under way, and may even come back under another leader.
/// The report of the first write then says nothing about the second.
class Writes {
public:
    /// Entries from `from` to `last` are written. Returns the number of the write.
    std::uint64_t add(Index from, Index last, bool cut_earlier = true) {
        if (cut_earlier) cut(from);
        pending_.push_back({++issued_, last});
        return issued_;
    }

    /// The log from `from` on is no longer what was written.
    void cut(Index from) {
        for (Pending& write : pending_) write.last = std::min(write.last, Index{from.value - 1});
    }

    /// Up to which entry the log is durable after all writes up to `write`; 0: they say nothing.
    Index done(std::uint64_t write) {
        US_ASSERT(write <= issued_);
        Index last;
        while (!pending_.empty() && pending_.front().number <= write) {
            last = pending_.front().last;
            pending_.pop_front();
        }
        return last;
    }

private:
    struct Pending {
        std::uint64_t number;
        Index last;
    };
    std::deque<Pending> pending_;
    std::uint64_t issued_ = 0;
};

}  // namespace understudy::raft
