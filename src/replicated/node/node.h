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
    /// The first members, in joining order, including this one. The list is the same at each of
    /// them. All must run at the same time once; then the group exists for ever. A member that is
    /// not among them, or whose disk is not the one with which the group was founded, waits until
    /// it is added.
    std::vector<Member> founders;
    MemberKind kind = MemberKind::data;  ///< The same as in `founders`, if this member is there.
    bool last_resort = false;  ///< Makes a checkpointer electable. It never changes the quorum.
    /// For a data member: false if it must not become active while its journal is open. It votes
    /// and keeps entries. If only it has the newest entries, it leads until others have them.
    bool electable = true;

    std::uint64_t queue_bytes_max = 32 * MiB;        ///< Appends that wait, per urgency.
    /// Entries that are proposed and not committed yet.
    std::uint32_t outstanding_entries_max = 4096;
    std::uint64_t outstanding_bytes_max = 16 * MiB;  ///< The same, in bytes of bodies.
    /// How many entries before a checkpoint are kept for members that lag, at least and at most. A
    /// member that needs older entries is sent the checkpoint.
    std::uint32_t trailing_entries_min = 1024;
    std::uint32_t trailing_entries_max = 65'536;
};

/// One node with its members of replicated journals.
///
/// It has one log for all groups, and one connection to each other node (the node whose name sorts
/// first dials). The messages of all groups are sent in one write per loop turn. Checkpoints are
/// sent between them, slowly enough not to delay them.
///
///     Node::open(runtime, log, {.name = "n1", ...}, raft::make_core, [&](auto opened) {
///         node = *std::move(opened);
///         replica = Replica::open(..., node->journal({.service = "Orders", .founders = ...}));
///     });
///
/// Journals end before their node. The destructor abandons what is under way; close() is the
/// orderly end.
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
        /// The address that others are told. Absent: the listen address.
        std::optional<Address> advertise;
        std::vector<Peer> peers;           ///< Other peers are learned from the groups.
        std::optional<TlsOptions> tls;
        std::string directory;  ///< Made if absent. One node at a time.
        /// The identities of the directory and of those around it. They are checked, and written
        /// into a new directory. The identity of the log in it follows from that of the directory.
        std::vector<journal::DirectoryWanted> identities = {};

        Duration election_timeout = 300ms;  ///< The shortest timeout. The longest is twice that.
        Duration heartbeat_interval = 50ms;
        /// After evidence that the leader is dead: the delay between one candidate and the next, in
        /// joining order.
        Duration succession_delay = 20ms;
        Duration join_timeout = 30s;   ///< The time for a new member to catch up ...
        Duration reach_timeout = 30s;  ///< ... and, before that, to be reached.
        Duration connect_timeout = 1s;
        Duration retry_min = 20ms;
        Duration retry_max = 500ms;

        std::uint64_t segment_size_bytes = 64 * MiB;
        std::uint64_t cache_bytes_max = 64 * MiB;
        /// How many bytes of a follower may wait for the disk. Further entries are not accepted,
        /// and are sent again.
        std::uint64_t unsynced_bytes_max = 32 * MiB;
        /// How many bytes may wait per peer. Further entries for it are dropped and sent again
        /// later.
        std::uint64_t backlog_bytes_max = 32 * MiB;
        /// How many bytes of checkpoints may be on their way to one peer. A message may have to
        /// wait for that many bytes.
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

    /// Takes part in a group. `opened` is called once, never within this call. It is called when
    /// the observer was told the checkpoint on the disk, and not before the group is founded. A
    /// member that has yet to be added is opened empty.
    ///
    /// The role `standby` is told first, and `active` when an entry of the member's own tenure is
    /// committed. The observer of a witness is told no state and no entries.
    ///
    /// Requires: `observer` outlives the opening and the journal.
    /// Errors: bad_config (none: a name, the list of founders); already_exists (none: the service
    ///         is open here); limit_exceeded (none); corrupt (none); disk_failed; closed.
    [[nodiscard]] virtual std::unique_ptr<journal::Opening> open_journal(
        GroupOptions options, journal::Observer& observer, journal::Opened opened) = 0;
    /// The same, for code that opens a journal of any kind. The node outlives the journal.
    [[nodiscard]] journal::Open journal(GroupOptions options);

    // Steering, for groups that are open here. Only the leader accepts these calls, except
    // set_last_resort(). The other members answer not_active (none), and the detail names the
    // leader. `done` is called once, never within the call. Errors of all: not_found (none: no such
    // service or member), not_active (unknown: the leadership ended meanwhile, and the next leader
    // completes what was begun), closed.

    /// Adds a member, or gives a member another disk or address. The member gets all entries, and
    /// votes when it has caught up. Its node must have opened the journal.
    /// Errors: unavailable (none: not reached within reach_timeout; unknown: added, but it did not
    /// catch up within join_timeout and goes on trying), limit_exceeded (none), bad_config (none).
    virtual void add_member(const std::string& service, Member member, Done done) = 0;
    /// Errors: refused (none): it leads, or fewer than two voters would be left.
    virtual void remove_member(const std::string& service, const std::string& name, Done done) = 0;
    /// Transfers the lead to a member that has caught up. `done` is called when that member leads.
    /// Errors: refused (none): the member may not lead, or lags; timed_out (unknown).
    virtual void transfer(const std::string& service, const std::string& name, Done done) = 0;
    [[nodiscard]] virtual Result<void> set_last_resort(const std::string& service, bool allow) = 0;

    /// Evidence that the process of node `name` has died. In groups that it led, the first survivor
    /// in joining order campaigns at once, and the next a little later. The node itself notices the
    /// death of processes on its own host.
    virtual void process_gone(const std::string& name) = 0;
    /// The address of a node, in addition to those that were configured and learned.
    virtual void add_peer(Peer peer) = 0;

    /// Errors: not_found (none).
    [[nodiscard]] virtual Result<GroupStatus> status(const std::string& service) const = 0;
    [[nodiscard]] virtual std::vector<std::string> services() const = 0;  ///< By name.
    [[nodiscard]] virtual const Address& address() const = 0;             ///< Where it listens.

    /// `failed` is called when the node has ended because its disk failed. Every open journal is
    /// told before.
    virtual void on_failed(std::function<void(const Error&)> failed) = 0;
    /// Requires: called once, and no journal is open.
    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::replicated
