#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/lifetime.h"
#include "consensus/core.h"
#include "journal/node_log/node_log.h"
#include "replicated/surroundings.h"

namespace understudy::replicated {

/// A group's messages on their way out.
///
/// They leave in order per server, and none before the term and vote it speaks for are durable.
/// Append requests get their entries here, from the log; what is no longer in memory is read from
/// the disk, and what follows to the same server waits for it. Requests of a tenure that has ended
/// are dropped. When the disk does not give back what was written, all that waits is dropped, and
/// `failed` is told: such a log is no use to its group.
///
/// Bounds: held_max and lane_max messages; beyond them messages are dropped, which the consensus
///         is made for. A message has about message_bytes_max of entries, one at least.
class Outbox {
public:
    static constexpr std::size_t held_max = 4096;
    static constexpr std::size_t lane_max = 1024;
    static constexpr std::size_t message_bytes_max = 256 * KiB;

    /// Told why entries could not be read: corrupt, disk_failed (none). May destroy the outbox.
    using Failed = std::function<void(const Error&)>;

    Outbox(journal::NodeLog& log, Surroundings& surroundings, GroupId group, Failed failed)
        : log_(log), surroundings_(surroundings), group_(group), failed_(std::move(failed)) {}

    /// Whatever is put from now on waits until `position` is durable.
    void gate(journal::LogPosition position) { gate_ = std::max(gate_, position); }
    /// Append requests of this term go out, others are dropped. 0: none.
    void lead(Epoch term) { leading_ = term; }
    void put(ServerId to, consensus::Message message);
    void durable(journal::LogPosition position);
    /// Forgets all that waits.
    void clear();

private:
    struct Held {
        journal::LogPosition gate;
        ServerId to;
        consensus::Message message;
    };
    struct Lane {
        std::deque<consensus::Message> waiting;
        bool loading = false;
    };

    void dispatch(ServerId to, consensus::Message message);
    /// False if it has to wait; what is left of it is then the first in its lane.
    bool send(ServerId to, const consensus::Message& message);
    bool send_entries(ServerId to, consensus::AppendRequest request);
    void send_filled(ServerId to, consensus::AppendRequest& request,
                     std::span<const journal::GroupEntry> entries);
    void load(ServerId to, consensus::AppendRequest request);
    void loaded(ServerId to, Result<std::vector<journal::GroupEntry>> entries);
    void drain(ServerId to);

    journal::NodeLog& log_;
    Surroundings& surroundings_;
    const GroupId group_;
    const Failed failed_;
    journal::LogPosition gate_;
    Epoch leading_;
    std::deque<Held> held_;
    std::map<ServerId, Lane> lanes_;
    Lifetime reads_;  ///< Of the lanes: reads begun before clear() are not wanted.
};

}  // namespace understudy::replicated
