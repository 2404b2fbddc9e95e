#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/types.h"

namespace understudy::role {

/// The granter's side of leases: which holders have been silent for longer than their lease.
///
/// The granter counts a lease from the *receipt* of a heartbeat. The holder counts it from the
/// *sending*, so the holder always gives up first. While the granter itself does not run (paused,
/// starved, suspended), heartbeats may lie unread in its sockets, so every lease is extended by
/// that time. Silence is a defined state, not a proof. The epoch fences.
///
/// Sans-IO. Thread: loop only. Bounds: one row per agent.
class LeaseBook {
public:
    /// `stall_max`: the owner promises to call turn() at least this often while it runs.
    LeaseBook(TimePoint now, Duration stall_max);

    /// To be called first in every turn of the loop, at least each stall_max.
    void turn(TimePoint now);

    /// A full lease from now. A holder that is already in the book keeps the shorter lease.
    void open(Incarnation holder, Duration lease, TimePoint now);
    /// A heartbeat or another message. No effect on a holder that is not in the book.
    void heard(Incarnation holder, TimePoint now);
    void close(Incarnation holder);

    /// Holders whose lease has lapsed; they stay in the book until closed.
    [[nodiscard]] std::vector<Incarnation> lapsed(TimePoint now) const;
    [[nodiscard]] std::optional<TimePoint> next_lapse() const;
    [[nodiscard]] std::optional<Duration> silence(Incarnation holder, TimePoint now) const;
    [[nodiscard]] std::size_t size() const { return rows_.size(); }

private:
    struct Row {
        Duration lease{};
        TimePoint heard;
    };

    const Duration stall_max_;
    TimePoint turn_last_;
    std::map<Incarnation, Row> rows_;
};

}  // namespace understudy::role
