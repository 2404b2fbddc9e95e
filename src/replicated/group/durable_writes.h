#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "journal/node_log/node_log.h"

namespace understudy::replicated {

/// How much of a group's writes is durable, and what waits for that.
///
/// Machine.
class DurableWrites {
public:
    using Task = std::function<void()>;

    /// The write `number` of the consensus ends with the entry `last`, and with this position.
    void written(journal::LogPosition position, std::uint64_t number, Index last);
    /// Entries after `last` are void, durable or not.
    void cut(Index last);
    /// The log ends with `last`, which is durable.
    void set_last(Index last) { last_ = last; }
    /// Writes that are under way are no longer reported.
    void forget_writes() { written_.clear(); }
    /// `task` runs when `position` is durable.
    void when_durable(journal::LogPosition position, Task task);

    /// `position` is durable. Returns the last write of the consensus that became durable by it; 0:
    /// none.
    [[nodiscard]] std::uint64_t durable(journal::LogPosition position);
    /// A task that is due, in the order of when_durable(); nullopt: none is left.
    [[nodiscard]] std::optional<Task> next_task(journal::LogPosition position);

    /// The last entry that is durable.
    [[nodiscard]] Index last() const { return last_; }
    /// No write of the consensus is under way.
    [[nodiscard]] bool idle() const { return written_.empty(); }
    /// Where the newest write of the consensus ends. Requires: not idle().
    [[nodiscard]] journal::LogPosition newest() const { return written_.back().position; }

private:
    struct Written {
        journal::LogPosition position;
        std::uint64_t number = 0;
        Index last;
    };
    struct Waiting {
        journal::LogPosition position;
        Task task;
    };

    std::deque<Written> written_;
    std::deque<Waiting> waiting_;
    Index last_;
};

}  // namespace understudy::replicated
