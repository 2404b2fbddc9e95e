#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"

namespace understudy::consensus {

/// One server of one group. Never 0. Never given twice: a server that lost its disk is another one.
using ServerId = Strong<struct ServerIdTag>;

inline constexpr std::size_t servers_max = 64;  ///< Of one group.
inline constexpr std::size_t entries_per_message_max = 65536;
inline constexpr std::size_t reference_size_max = 4 * KiB;  ///< SnapshotRef::reference.
/// Of any body: the host cuts larger commands. One frame must hold it.
inline constexpr std::size_t entry_size_max = 64 * MiB;

/// What a server does in its group.
enum class Membership : std::uint8_t {
    voter = 1,     ///< Counts for elections and commits.
    observer = 2,  ///< Keeps all entries, never votes, never campaigns.
};

struct Server {
    ServerId id;
    Membership membership = Membership::voter;
    friend bool operator==(const Server&, const Server&) = default;
};

/// The servers of a group, by ascending id.
struct Configuration {
    std::vector<Server> servers;
    friend bool operator==(const Configuration&, const Configuration&) = default;
};

enum class EntryKind : std::uint8_t {
    command = 1,
    barrier = 2,        ///< Begins the leader's term. No body.
    configuration = 3,  ///< Body: an encoded Configuration.
};

/// Bytes that several owners keep: a view, and what keeps it alive.
struct SharedBytes {
    std::shared_ptr<const void> owner;
    Bytes bytes;
};

struct LogEntry {
    Epoch term;
    EntryKind kind = EntryKind::command;
    SharedBytes body;
};

/// What a server must never forget about elections.
struct HardState {
    Epoch term;
    ServerId vote;  ///< 0: none in this term.
    friend bool operator==(const HardState&, const HardState&) = default;
};

/// A checkpoint as far as the group's log is concerned; its bytes travel elsewhere.
struct SnapshotRef {
    Index index;
    Epoch term;
    Configuration configuration;
    Index configuration_index;
    Buffer reference;  ///< Opaque to the core: how the host finds and checks the bytes.
};

/// What a server finds when it starts. The term is already raised by one and durable, vote 0
/// (engine rule: a lone voter must never reuse its term).
struct Recovered {
    HardState hard;
    std::optional<SnapshotRef> snapshot;
    Index first;                    ///< Of `entries`; 1 if there is nothing.
    std::vector<LogEntry> entries;  ///< Bodies only of configurations; others may be empty.
};

// Messages between the cores of a group.

struct VoteRequest {
    Epoch term;
    ServerId candidate;
    Index last_index;
    Epoch last_term;
    bool disrupt_leader = false;
    bool pre_vote = false;
};
struct VoteResult {
    Epoch term;
    bool granted = false;
    bool pre_vote = false;
};
/// On the way out without entries: `count` says how many the host adds after `prev_index`.
struct AppendRequest {
    Epoch term;
    Index prev_index;
    Epoch prev_term;
    Index leader_commit;
    std::uint32_t count = 0;
    std::vector<LogEntry> entries;
};
struct AppendResult {
    Epoch term;
    Index rejected;  ///< 0: accepted.
    Index last_index;
    std::uint16_t capacity = 0;  ///< Room for entries, in units of the engine; 0: not told.
};
/// On the way out `snapshot` is the last that the core was told; the host may put in a newer one.
struct InstallRequest {
    Epoch term;
    SnapshotRef snapshot;
};
struct TimeoutNow {
    Epoch term;
    Index last_index;
    Epoch last_term;
};
using Message =
    std::variant<VoteRequest, VoteResult, AppendRequest, AppendResult, InstallRequest, TimeoutNow>;

// Events.

struct Start {
    Recovered recovered;
};
struct Receive {
    ServerId from;
    Message message;
};
/// All PersistEntries up to this `write` are durable. Reports may be merged; never told for a write
/// before the ones it follows.
struct Persisted {
    std::uint64_t write = 0;
};
/// The checkpoint asked for by InstallSnapshot is durable and whole.
struct SnapshotInstalled {
    Index index;
    Epoch term;
};
/// The host has taken a checkpoint of its own, at a committed index, with configuration_at() there;
/// `trailing` entries up to it stay for slow servers. Too old or too late: nothing happens.
struct SnapshotTaken {
    SnapshotRef snapshot;
    std::uint32_t trailing = 0;
};
struct Deadline {};  ///< next_deadline() has come.
/// Requires: the state is leader, else not_active. Bodies become the core's.
struct Propose {
    std::vector<LogEntry> entries;  ///< Commands and barriers; the core sets the terms.
};
/// One server added, removed, or with another membership, compared to the last configuration.
struct ProposeConfiguration {
    Configuration configuration;
};
struct CatchUp {
    ServerId server;
};
struct Transfer {
    ServerId to;
};
/// Campaign at once, although a leader may still be heard: there is evidence that it is dead.
/// Refused if not electable, not a voter, leading, or if entries are not durable yet.
struct Campaign {};

using Event = std::variant<Start, Receive, Persisted, SnapshotInstalled, SnapshotTaken, Deadline,
                           Propose, ProposeConfiguration, CatchUp, Transfer, Campaign>;

// Effects, to be carried out in this order.

/// Must be durable before any Send that follows it, in this or any later step, leaves.
struct PersistHardState {
    HardState hard;
};
/// Cut the log at `from`, then append. Report by Persisted.
struct PersistEntries {
    Index from;
    std::vector<LogEntry> entries;
    std::uint64_t write = 0;  ///< Counts from 1: the same entry may be cut and written again.
};
struct Send {
    ServerId to;
    Message message;
};
/// Fetch the checkpoint, make it durable, replace the log by it, then SnapshotInstalled. Until then
/// no entries come and no votes are given. Comes again when another source is found or a newer
/// checkpoint takes its place. A host that cannot fetch it ends this core and starts one from the
/// disk.
struct InstallSnapshot {
    ServerId from;
    SnapshotRef snapshot;
};
/// Entries up to here are committed; it may be ahead of what is durable here.
struct CommitTo {
    Index index;
};
enum class State : std::uint8_t { follower, candidate, leader };
struct StateChanged {
    State state;
    Epoch term;
    ServerId leader;  ///< 0: not known.
};
using Effect =
    std::variant<PersistHardState, PersistEntries, Send, InstallSnapshot, CommitTo, StateChanged>;
using Effects = std::vector<Effect>;

/// A configuration, and the entry that it came with; 0: none yet.
struct ConfigurationAt {
    Index index;
    Configuration configuration;
};

/// How far a server is that CatchUp was asked for.
enum class CatchUpState : std::uint8_t { none, running, failed, finished };

/// One server's part in the agreement of a group: events in, effects out.
///
/// Sans-IO and deterministic from its seed. It keeps the defects of the engine from doing harm
/// (engine rules 4, 7, 14 to 20), as far as that needs no disk, network or time; the rest is kept
/// by the host (rules 2, 5, 6, 8 to 13, 21 to 27).
///
/// Requires of the host: effects are carried out in order before the next step.
/// Thread: loop only.
class ConsensusCore {
public:
    struct Options {
        ServerId id;
        std::uint64_t seed = 0;
        Duration election_timeout = 300ms;  ///< At least; at most twice that.
        Duration heartbeat_interval = 50ms;
        std::uint32_t inflight_entries_max = 4096;  ///< Per server, not yet answered.
        /// False: it never campaigns by itself. If it leads all the same, the host transfers the
        /// lead.
        bool electable = true;
    };

    virtual ~ConsensusCore() = default;

    /// Errors: not_active (none): Propose, ProposeConfiguration, CatchUp, Transfer without the
    ///         lead; refused (none): not now, detail says why; corrupt (none): the message
    ///         contradicts itself; limit_exceeded (none). After these nothing has changed. failed
    ///         (unknown): the core has ended for good; corrupt or bad_config from Start too.
    [[nodiscard]] virtual Result<Effects> step(Event event, TimePoint now) = 0;

    /// When Deadline is wanted; max() if never. May change in every step.
    [[nodiscard]] virtual TimePoint next_deadline() const = 0;
    [[nodiscard]] virtual State state() const = 0;
    [[nodiscard]] virtual Epoch term() const = 0;
    [[nodiscard]] virtual ServerId leader() const = 0;  ///< 0: not known.
    [[nodiscard]] virtual Index commit() const = 0;
    [[nodiscard]] virtual Index first() const = 0;  ///< Of the entries kept; last() + 1 if none.
    [[nodiscard]] virtual Index last() const = 0;
    [[nodiscard]] virtual const Configuration& configuration()
        const = 0;  ///< The newest in the log.
    /// What was in force at `index`: what a checkpoint there carries. Requires: first() - 1 <=
    /// index.
    [[nodiscard]] virtual ConfigurationAt configuration_at(Index index) const = 0;
    /// Leader: what `server` is known to have; 0 if it is not in the configuration.
    [[nodiscard]] virtual Index match(ServerId server) const = 0;
    [[nodiscard]] virtual CatchUpState catch_up(ServerId server) const = 0;
    /// May be changed while running: last_resort.
    virtual void set_electable(bool electable) = 0;
};

/// Makes cores: the engine is chosen where the program is put together.
using MakeCore = std::unique_ptr<ConsensusCore> (*)(const ConsensusCore::Options& options);

}  // namespace understudy::consensus
