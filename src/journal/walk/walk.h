#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "journal/format/checkpoint.h"
#include "journal/format/entry.h"
#include "journal/node_log/node_index.h"
#include "journal/shared/shared_epoch.h"
#include "journal/shared/shared_seal.h"
#include "runtime/disk.h"

namespace understudy::journal {

enum class WalkKind : std::uint8_t { local, node, shared };
[[nodiscard]] std::string_view name(WalkKind kind);

/// Something that differs from what was written, although other data says that it was durable.
struct Damage {
    Index entry;  ///< The first entry that is lost by it; 0 if none is lost.
    std::string file;
    std::uint64_t offset = 0;
    std::string why;
    /// The length at which the file is complete again, if only zeros are missing; otherwise 0.
    std::uint64_t whole_at = 0;
};

/// Bytes after the last entry of a segment: a write that was not finished, or is in progress.
struct Stray {
    std::string file;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

struct WalkedSegment {
    enum class State : std::uint8_t {
        begun,
        reserve,
        superseded,  ///< Of an epoch that no later epoch continues. It does not count.
    };
    std::string name = {};
    Epoch epoch = {};  ///< In its name, in a shared journal.
    std::uint64_t generation = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t used_bytes = 0;
    Index first = {};
    Index last = {};  ///< 0: it has no entries.
    bool reused = false;  ///< After its entries come bytes of an earlier segment.
    State state = State::begun;
};

struct WalkedCheckpoint {
    std::string name;
    std::uint64_t size_bytes = 0;
    std::optional<Checkpoint> checkpoint;  ///< Absent if the file is damaged.
};

/// Entries of one epoch that follow each other.
struct WalkedTenure {
    Epoch epoch;
    Index first;
    Index last;
};

struct WalkedClaim {
    std::string name = {};
    Epoch epoch = {};
    std::optional<EpochRecord> record = {};  ///< Absent if it was never finished, or is damaged.
    std::uint64_t stamp = 0;
    bool held = false;  ///< The process that made it is running.
};

struct WalkedGroup {
    GroupId group;
    Buffer state;
    Index first;
    Index last;
    Epoch term;  ///< Of the last entry.
};

/// What a journal's directory holds.
struct Walked {
    WalkKind kind = WalkKind::local;
    bool live = false;  ///< A process has it open.
    std::uint32_t journal = 0;
    std::uint64_t identity = 0;  ///< Of a node's log.
    Index first;                 ///< 0: there are no entries.
    Index last;
    Index durable;    ///< Other data says that entries up to this one were durable.
    Index committed;  ///< In a shared journal; otherwise the same as `durable`.
    std::array<std::uint64_t, 5> counts{};  ///< By EntryType.
    std::uint64_t body_bytes = 0;
    std::vector<WalkedSegment> segments;
    std::vector<WalkedCheckpoint> checkpoints;  ///< Oldest first.
    std::vector<WalkedTenure> tenures;
    std::vector<Seal> seals;
    std::vector<WalkedClaim> claims;
    std::optional<EpochRecord> published;
    std::vector<WalkedGroup> groups;
    std::vector<std::string> spares;
    std::vector<std::string> temporaries;
    /// Names that do not belong to a journal. They are not touched.
    std::vector<std::string> foreign;
    std::vector<Stray> strays;
    std::vector<Damage> damages;
};

class PlaceReader;

/// What a node's log holds, after all of it was read, and a reader for its bodies.
struct NodeGroups {
    std::uint32_t journal = 0;
    std::uint64_t identity = 0;  ///< Of the log.
    const std::map<GroupId, GroupIndex>& groups;
    PlaceReader& bodies;
};

/// Is told what a walk through a directory finds.
class WalkVisitor {
public:
    virtual ~WalkVisitor() = default;

    /// The entries follow. If this is called again, they start again from the first: the process
    /// that has the journal open has removed files meanwhile. The checkpoints have been read.
    virtual void begin(const Walked&) {}
    /// An entry, with its file and its offset there. An error ends the walk.
    [[nodiscard]] virtual Result<void> entry(const Entry&, const std::string& /*file*/,
                                             std::uint64_t /*offset*/) {
        return {};
    }
    /// For a node's log, after its last entry; not called if something of it is lost. An error ends
    /// the walk. But after no_such_file, which comes if files are removed because the log is in
    /// use, the walk begins again.
    [[nodiscard]] virtual Result<void> groups(const NodeGroups&) { return {}; }
    /// How many bytes have been read, and of how many.
    virtual void progress(std::uint64_t /*bytes*/, std::uint64_t /*of_bytes*/) {}
};

enum class WalkDepth : std::uint8_t {
    entries,     ///< Segments and checkpoints.
    everything,  ///< Also checks what the entries of a node's log say about each other.
};

/// Reads the directory of a journal of any kind, and changes nothing in it.
///
/// Takes no lock, so that it can read a journal that is in use. What is being written at that
/// moment is then the end of the journal. Damage does not end the walk: it goes on where entries
/// can be read again.
///
/// Requires: `disk` opens files for reading, and lock() on them only asks whether a process holds
/// the lock.
/// Errors: bad_config (none): no directory, no journal, or a journal of a newer version; denied,
///         disk_failed (none): a file cannot be read; the errors that the visitor returns.
/// Thread: any; blocks.
/// Source: docs/formats/journal.md, node-log.md, shared-journal.md.
[[nodiscard]] Result<Walked> walk(Disk& disk, const std::string& directory, WalkDepth depth,
                                  WalkVisitor& visitor);

}  // namespace understudy::journal
