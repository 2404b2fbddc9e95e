#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "consensus/core.h"
#include "journal/format/directory_identity.h"
#include "journal/journal.h"
#include "replicated/node/members.h"
#include "replicated/status.h"
#include "runtime/runtime.h"

namespace understudy::replicated {

/// How a member takes part in the group of its service.
struct GroupOptions {
    std::string service;
    /// The first members, in joining order, this one among them: the same list at each of them. All
    /// must be up once at the same time, then the group exists for good. Not among them, or the
    /// group was founded with another disk of this node's: it waits until it is added.
    std::vector<Member> founders;
    MemberKind kind = MemberKind::data;  ///< As in `founders`, if it is there.
    bool last_resort = false;  ///< Lifts electability of a checkpointer, never the quorum.
    /// Of a data member: false if it is designated otherwise for as long as its journal is open. It
    /// votes and keeps entries. If it alone has the newest ones, it leads until others have them.
    bool electable = true;

    std::uint64_t queue_bytes_max = 32 * MiB;        ///< Appends that wait, per urgency.
    std::uint32_t outstanding_entries_max = 4096;    ///< Proposed and not committed yet.
    std::uint64_t outstanding_bytes_max = 16 * MiB;  ///< The same, of bodies.
    /// Entries kept before a checkpoint for members that lag: at least, and at most. A member that
    /// needs older ones is sent the checkpoint.
    std::uint32_t trailing_entries_min = 1024;
    std::uint32_t trailing_entries_max = 65'536;
};

/// One node's part in all the replicated journals it has members of.
///
/// One log for all groups, one connection per pair of nodes (the node whose name sorts first
/// dials), the messages of all groups in one write per loop turn, checkpoints beside them at a pace
/// that does not delay them.
///
///     Node::open(runtime, log, {.name = "n1", ...}, raft::make_core, [&](auto opened) {
///         node = *std::move(opened);
///         replica = Replica::open(..., node->journal({.service = "Orders", .founders = ...}));
///     });
///
/// Journals end before their node. Destroying it gives up; close() is the orderly way.
/// Thread: loop only.
/// Source: docs/protocols/replication.md.
class Node {
public:
    struct Peer {
        std::string name;
        Address address;
    };

    struct Options {
        std::string platform;  ///< Nodes of another one are refused.
        std::string name;      ///< Unique in the platform; the common name of its certificate.
        std::string family = {};  ///< Certificates may say FAMILY/NAME or FAMILY/* too.
        Address listen;
        std::optional<Address> advertise;  ///< What others are told; else where it listens.
        std::vector<Peer> peers;           ///< Others are learned from the groups.
        std::optional<TlsOptions> tls;
        std::string directory;  ///< Made if absent. One node at a time.
        /// What the directory is, and those around it: checked, and written down in a new one. What
        /// the log in it is follows from the one of the directory.
        std::vector<journal::DirectoryWanted> identities = {};

        Duration election_timeout = 300ms;  ///< At least; at most twice that.
        Duration heartbeat_interval = 50ms;
        Duration succession_delay =
            20ms;                     ///< On evidence of death, between heirs in joining order.
        Duration join_timeout = 30s;   ///< For a member that is added: to catch up ...
        Duration reach_timeout = 30s;  ///< ... and before that: to be reached.
        Duration connect_timeout = 1s;
        Duration retry_min = 20ms;
        Duration retry_max = 500ms;

        std::uint64_t segment_size_bytes = 64 * MiB;
        std::uint64_t cache_bytes_max = 64 * MiB;
        /// What followers may have waiting for the disk; beyond it entries are left to be sent
        /// again.
        std::uint64_t unsynced_bytes_max = 32 * MiB;
        /// Per peer; beyond it entries for it are dropped and sent again later.
        std::uint64_t backlog_bytes_max = 32 * MiB;
        /// Of checkpoints on their way to one peer: a message may have to wait for so much.
        std::uint64_t shipping_bytes_max = 256 * KiB;
    };

    using Opened = std::function<void(Result<std::unique_ptr<Node>>)>;
    using Done = std::function<void(Result<void>)>;

    /// Opens the log in `directory`, then listens; calls `opened` once, never within this call.
    /// Errors: bad_config, in_use, denied (none), or as journal::NodeLog::open().
    [[nodiscard]] static std::unique_ptr<journal::Opening> open(Runtime& runtime, Log& log,
                                                                Options options,
                                                                consensus::MakeCore make_core,
                                                                Opened opened);
    virtual ~Node() = default;

    /// Takes part in a group. `opened` is called once, never within this call: when the observer
    /// has heard the checkpoint that the disk has, and not before the group is founded. A member
    /// that has yet to be added is opened empty.
    ///
    /// The role `standby` is told first, `active` when an entry of the own tenure is committed. A
    /// witness's observer hears no state and no entries.
    ///
    /// Requires: `observer` outlives the opening and the journal.
    /// Errors: bad_config (none: a name, the list of founders); already_exists (none: the service
    ///         is open here); limit_exceeded (none); corrupt (none); disk_failed; closed.
    [[nodiscard]] virtual std::unique_ptr<journal::Opening> open_journal(
        GroupOptions options, journal::Observer& observer, journal::Opened opened) = 0;
    /// The same for code that opens a journal of any kind. The node outlives it.
    [[nodiscard]] journal::Open journal(GroupOptions options);

    // Steering, for groups that are open here. All but set_last_resort() are the leader's:
    // elsewhere not_active (none), and the detail names the leader. `done` is called once, never
    // within the call. Errors of all: not_found (none: no such service or member), not_active
    // (unknown: leadership ended meanwhile; what was begun is completed by the next leader),
    // closed.

    /// Adds a member, or gives a member another disk or address: it gets all entries, and votes
    /// when it has caught up. Its node must have opened the journal.
    /// Errors: unavailable (none: not reached within reach_timeout; unknown: added, but did not
    /// catch
    ///         up within join_timeout and goes on trying), limit_exceeded (none), bad_config
    ///         (none).
    virtual void add_member(const std::string& service, Member member, Done done) = 0;
    /// Errors: refused (none): it leads, or fewer than two voters would be left.
    virtual void remove_member(const std::string& service, const std::string& name, Done done) = 0;
    /// Transfers the lead to a member that has caught up; done when that member leads.
    /// Errors: refused (none): it may not lead, or lags; timed_out (unknown).
    virtual void transfer(const std::string& service, const std::string& name, Done done) = 0;
    [[nodiscard]] virtual Result<void> set_last_resort(const std::string& service, bool allow) = 0;

    /// Evidence that the process of this node has died: where it led, the first survivor in joining
    /// order campaigns at once, the next a little later. The node finds out itself about processes
    /// on its own machine.
    virtual void process_gone(const std::string& name) = 0;
    /// Where to find a node, besides what was configured and learned.
    virtual void add_peer(Peer peer) = 0;

    /// Errors: not_found (none).
    [[nodiscard]] virtual Result<GroupStatus> status(const std::string& service) const = 0;
    [[nodiscard]] virtual std::vector<std::string> services() const = 0;  ///< By name.
    [[nodiscard]] virtual const Address& address() const = 0;             ///< Where it listens.

    /// The node has ended: its disk failed. Every open journal has been told before.
    virtual void on_failed(std::function<void(const Error&)> failed) = 0;
    /// Requires: called once, and no journal is open.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::replicated
