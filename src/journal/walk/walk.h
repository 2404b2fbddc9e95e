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

/// Something that is not as it was written, and that something else says was durable.
struct Damage {
    Index entry;  ///< The first that is lost by it; 0 if none is.
    std::string file;
    std::uint64_t offset = 0;
    std::string why;
    /// The length at which the file is whole again, if only zeros are missing; 0: it is not that.
    std::uint64_t whole_at = 0;
};

/// Bytes behind the last entry of a segment: a write that was not finished, or is just going on.
struct Stray {
    std::string file;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
};

struct WalkedSegment {
    enum class State : std::uint8_t {
        begun,
        reserve,
        superseded,  ///< Of an epoch that no later one builds on: it counts for nothing.
    };
    std::string name = {};
    Epoch epoch = {};  ///< In its name, in a shared journal.
    std::uint64_t generation = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t used_bytes = 0;
    Index first = {};
    Index last = {};  ///< 0: it holds none.
    bool reused = false;  ///< Behind its entries stands what an earlier segment held.
    State state = State::begun;
};

struct WalkedCheckpoint {
    std::string name;
    std::uint64_t size_bytes = 0;
    std::optional<Checkpoint> checkpoint;  ///< Nothing if it is not whole.
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
    std::optional<EpochRecord> record = {};  ///< Nothing if it was never finished, or is damaged.
    std::uint64_t stamp = 0;
    bool held = false;  ///< Its maker lives.
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
    Index durable;    ///< Something says that entries up to here were.
    Index committed;  ///< Of a shared journal; elsewhere as `durable`.
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
    std::vector<std::string> foreign;  ///< Names that are no journal's. They are left alone.
    std::vector<Stray> strays;
    std::vector<Damage> damages;
};

class PlaceReader;

/// What a node's log holds, when it has been read through, and how its bodies are to be had.
struct NodeGroups {
    std::uint32_t journal = 0;
    std::uint64_t identity = 0;  ///< Of the log.
    const std::map<GroupId, GroupIndex>& groups;
    PlaceReader& bodies;
};

/// Who is told while a directory is walked through.
class WalkVisitor {
public:
    virtual ~WalkVisitor() = default;

    /// The entries come now, or once more from the first: files were removed meanwhile by who has
    /// it open. The checkpoints have been read.
    virtual void begin(const Walked&) {}
    /// An entry, with the file in which it stands and where. An error ends the walk.
    [[nodiscard]] virtual Result<void> entry(const Entry&, const std::string& /*file*/,
                                             std::uint64_t /*offset*/) {
        return {};
    }
    /// Of a node's log, behind its last entry; not if something of it is lost. An error ends the
    /// walk; `not_found`, if files go because the log is in use, begins it again.
    [[nodiscard]] virtual Result<void> groups(const NodeGroups&) { return {}; }
    /// How much has been read of how much there is.
    virtual void progress(std::uint64_t /*bytes*/, std::uint64_t /*of_bytes*/) {}
};

enum class WalkDepth : std::uint8_t {
    entries,     ///< Segments and checkpoints.
    everything,  ///< And what entries of a node's log say of each other.
};

/// Reads a journal's directory, whatever kind it is of, and changes nothing in it.
///
/// Takes no lock, so that it may look at a journal that is in use: what is just being written is
/// then the end of it. Damage does not end the walk: it goes on where entries can be told again.
///
/// Requires: `disk` opens for reading, and its files' lock() only asks whether somebody has it.
/// Errors: bad_config (none): no directory, no journal, or one of a newer version; denied,
///         disk_failed (none): a file cannot be read; what the visitor answers.
/// Thread: any; blocks.
/// Source: docs/formats/journal.md, node-log.md, shared-journal.md.
[[nodiscard]] Result<Walked> walk(Disk& disk, const std::string& directory, WalkDepth depth,
                                  WalkVisitor& visitor);

}  // namespace understudy::journal
