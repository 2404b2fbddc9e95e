#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "journal/format/directory_identity.h"
#include "journal/journal.h"
#include "runtime/runtime.h"

namespace understudy::journal {

/// One group of a node: a replicated service. Never 0.
using GroupId = Strong<struct GroupIdTag>;

/// How far a NodeLog has been written or synced; only grows. 0: nothing.
using LogPosition = Strong<struct LogPositionTag>;

/// An entry of one group's log. The meaning of `kind` is the group's.
struct GroupEntry {
    Epoch term;
    std::uint8_t kind = 0;
    std::shared_ptr<const void> owner;  ///< Keeps `body` alive.
    Bytes body;
};

/// What one group wants written, in this order.
struct GroupWrite {
    /// Opaque, small (at most 8 KiB): term and vote, newest checkpoint. Replaces the one before.
    std::optional<Buffer> state;
    /// Entries before it are needed no more: they precede a durable checkpoint.
    std::optional<Index> trim;
    /// Entries from here on are void; `entries` begin here. 0: they follow the last.
    Index from;
    std::vector<GroupEntry> entries;
    /// The log begins anew behind a checkpoint that was sent by another: all entries are void and
    /// the next has index `from`, which is not 0 then.
    bool restart = false;
};

/// The write-ahead log of a node, shared by all its groups: one write and one sync make durable
/// what hundreds of groups had to say in a turn.
///
/// A LocalJournal underneath gives segments, checksums, torn ends, damage, reserve and checkpoints;
/// this adds groups. Live entries of idle groups are written again further on, so that one group
/// cannot pin the disk.
///
/// Thread: loop only.
/// Bounds: `cache_bytes_max` of bodies in memory over all groups, the newest of each; older ones
/// are
///         read from the disk. An index of 32 bytes for each live entry.
/// Source: docs/formats/node-log.md.
class NodeLog {
public:
    struct Options {
        std::string directory;
        std::uint64_t segment_size_bytes = 64 * MiB;
        std::uint64_t queue_bytes_max = 64 * MiB;
        std::uint64_t cache_bytes_max = 64 * MiB;
        std::vector<DirectoryWanted> identities = {};  ///< See LocalJournal::Options.
    };

    /// A group as found when the log was opened.
    struct Group {
        Buffer state;
        Index first{1};  ///< Of its entries.
        Index last;      ///< first - 1 if it has none.
    };

    class Observer {
    public:
        virtual ~Observer() = default;
        /// Everything written up to `position` is durable.
        virtual void durable(LogPosition position) = 0;
        virtual void space_changed(Space space) = 0;
        /// The last call, once: nothing more becomes durable, the node must stop.
        virtual void failed(const Error& error) = 0;
    };

    using Opened = std::function<void(Result<std::unique_ptr<NodeLog>>)>;
    using Read = std::function<void(Result<std::vector<GroupEntry>>)>;

    /// Requires: `observer` outlives the log. Errors: as LocalJournal::open().
    [[nodiscard]] static std::unique_ptr<Opening> open(Runtime& runtime, Log& log, Options options,
                                                       Observer& observer, Opened opened);
    virtual ~NodeLog() = default;

    /// A random number, drawn when the log was made, never 0: another disk has another.
    [[nodiscard]] virtual std::uint64_t identity() const = 0;
    [[nodiscard]] virtual const std::map<GroupId, Group>& groups() const = 0;

    /// Queues `write`; all writes of one loop turn become one append. durable() tells.
    /// Errors: no_space (none: ordinary writes when only the reserve is left), limit_exceeded
    /// (none:
    ///         too much is waiting), closed, disk_failed (none).
    [[nodiscard]] virtual Result<LogPosition> write(GroupId group, GroupWrite write,
                                                    Urgency urgency) = 0;
    [[nodiscard]] virtual LogPosition durable() const = 0;
    [[nodiscard]] virtual Space space() const = 0;
    /// Why ordinary writes are refused: no_space (none). Requires: space() is not `ok`.
    [[nodiscard]] virtual Error no_space() const = 0;

    /// Entries as written, durable or not. Index and term are always at hand, bodies if cached.
    [[nodiscard]] virtual Index first(GroupId group) const = 0;
    [[nodiscard]] virtual Index last(GroupId group) const = 0;
    [[nodiscard]] virtual std::optional<Epoch> term(GroupId group, Index index) const = 0;
    /// Adjacent entries from `from`, at most `count` and about `bytes_max`, at least one; empty if
    /// the first of them is not in memory (load() then), or not there at all.
    [[nodiscard]] virtual std::vector<GroupEntry> cached(GroupId group, Index from,
                                                         std::size_t count,
                                                         std::size_t bytes_max) const = 0;
    /// As cached(), from the disk where need be, and then up to what is cached at most: ask again
    /// for the rest. `done` is called once, never within this call. Errors: not_found (none: cut,
    /// trimmed or never there), corrupt, disk_failed, closed (none).
    virtual void load(GroupId group, Index from, std::size_t count, std::size_t bytes_max,
                      Read done) = 0;

    /// The group is needed no more: all of it goes.
    [[nodiscard]] virtual Result<LogPosition> forget(GroupId group) = 0;

    /// As Journal::look().
    virtual void look() {}

    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::journal
