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

/// The outgoing messages of a group.
///
/// They are sent in order per server. No message is sent before the term and vote that it depends
/// on are durable. Append requests get their entries here, from the log. Entries that are not in
/// memory any more are read from the disk, and later messages to the same server wait for that.
/// Requests of a tenure that has ended are dropped. If the disk cannot return what was written, all
/// waiting messages are dropped, and `failed` is called: the group cannot use such a log.
///
/// Bounds: held_max and lane_max messages; further messages are dropped, which the consensus
///         tolerates. A message has about message_bytes_max bytes of entries, and at least one
///         entry.
class Outbox {
public:
    static constexpr std::size_t held_max = 4096;
    static constexpr std::size_t lane_max = 1024;
    static constexpr std::size_t message_bytes_max = 256 * KiB;

    /// Gets the reason why entries could not be read: corrupt, disk_failed (none). May destroy the
    /// outbox.
    using Failed = std::function<void(const Error&)>;

    Outbox(journal::NodeLog& log, Surroundings& surroundings, GroupId group, Failed failed)
        : log_(log), surroundings_(surroundings), group_(group), failed_(std::move(failed)) {}

    /// Messages that are put from now on wait until `position` is durable.
    void gate(journal::LogPosition position) { gate_ = std::max(gate_, position); }
    /// Append requests of this term are sent, others are dropped. 0: none is sent.
    void lead(Epoch term) { leading_ = term; }
    void put(ServerId to, consensus::Message message);
    void durable(journal::LogPosition position);
    /// Drops all waiting messages.
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
    /// Returns false if the message has to wait. The rest of it is then the first in its lane.
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
    Lifetime reads_;  ///< Reads for the lanes. Those that began before clear() are ignored.
};

}  // namespace understudy::replicated
