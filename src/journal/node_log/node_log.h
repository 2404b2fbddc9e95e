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

/// How far a NodeLog has been written or synced. It only grows. 0: nothing.
using LogPosition = Strong<struct LogPositionTag>;

/// An entry of one group's log. The meaning of `kind` is the group's.
struct GroupEntry {
    Epoch term;
    std::uint8_t kind = 0;
    std::shared_ptr<const void> owner;  ///< Keeps `body` alive.
    Bytes body;
};

/// What one group writes, in this order.
struct GroupWrite {
    /// Opaque, at most 8 KiB: term and vote, newest checkpoint. Replaces the state before.
    std::optional<Buffer> state;
    /// Entries before it are not needed any more: they come before a durable checkpoint.
    std::optional<Index> trim;
    /// Entries from here on are void, and `entries` begin here. 0: `entries` follow the last one.
    Index from;
    std::vector<GroupEntry> entries;
    /// The log begins again after a checkpoint that another node has sent. All entries are void,
    /// and the next one has index `from`, which is not 0 then.
    bool restart = false;
};

/// The write-ahead log of a node, shared by all its groups: one write and one sync make durable
/// what hundreds of groups write in one turn.
///
/// It uses a LocalJournal for segments, checksums, torn ends, damage, reserve and checkpoints, and
/// adds groups. Live entries of idle groups are written again at the end of the log, so that one
/// group cannot keep old segments on the disk.
///
/// Thread: loop only.
/// Bounds: `cache_bytes_max` bytes of bodies in memory for all groups, the newest of each group;
/// older ones are read from the disk. An index of 32 bytes for each live entry.
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

    /// A group as it was when the log was opened.
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
        /// The last call, once. Nothing more becomes durable, and the node must stop.
        virtual void failed(const Error& error) = 0;
    };

    using Opened = std::function<void(Result<std::unique_ptr<NodeLog>>)>;
    using Read = std::function<void(Result<std::vector<GroupEntry>>)>;

    /// Requires: `observer` outlives the log. Errors: as LocalJournal::open().
    [[nodiscard]] static std::unique_ptr<Opening> open(Runtime& runtime, Log& log, Options options,
                                                       Observer& observer, Opened opened);
    virtual ~NodeLog() = default;

    /// A random number, drawn when the log was made, never 0. Another disk has another number.
    [[nodiscard]] virtual std::uint64_t identity() const = 0;
    [[nodiscard]] virtual const std::map<GroupId, Group>& groups() const = 0;

    /// Queues `write`. All writes of one loop turn get one position, which Observer::durable()
    /// reports.
    /// Errors: no_space (none: ordinary writes when only the reserve is left), limit_exceeded
    ///         (none: too much is waiting), closed, disk_failed (none).
    [[nodiscard]] virtual Result<LogPosition> write(GroupId group, GroupWrite write,
                                                    Urgency urgency) = 0;
    [[nodiscard]] virtual LogPosition durable() const = 0;
    [[nodiscard]] virtual Space space() const = 0;
    /// Why ordinary writes are refused: no_space (none). Requires: space() is not `ok`.
    [[nodiscard]] virtual Error no_space() const = 0;

    /// Entries as they were written, durable or not. Index and term are always in memory, bodies
    /// only if they are cached.
    [[nodiscard]] virtual Index first(GroupId group) const = 0;
    [[nodiscard]] virtual Index last(GroupId group) const = 0;
    [[nodiscard]] virtual std::optional<Epoch> term(GroupId group, Index index) const = 0;
    /// Adjacent entries from `from` on: at most `count`, about `bytes_max` bytes, and at least one.
    /// Empty if the first of them is not in memory (use load() then), or does not exist.
    [[nodiscard]] virtual std::vector<GroupEntry> cached(GroupId group, Index from,
                                                         std::size_t count,
                                                         std::size_t bytes_max) const = 0;
    /// As cached(), but reads from the disk if necessary. In that case the result ends before the
    /// first cached entry, and the rest must be asked for again. `done` is called once, never
    /// within this call. Errors: not_found (none: cut, trimmed or never there), corrupt,
    /// disk_failed, closed (none).
    virtual void load(GroupId group, Index from, std::size_t count, std::size_t bytes_max,
                      Read done) = 0;

    /// Removes the group: it is not needed any more.
    [[nodiscard]] virtual Result<LogPosition> forget(GroupId group) = 0;

    /// As Journal::look().
    virtual void look() {}

    virtual void close(std::function<void()> done) = 0;
};

}  // namespace understudy::journal
