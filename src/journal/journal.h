#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "journal/format/entry.h"

namespace understudy::journal {

/// Which appends are accepted when the disk is full.
enum class Urgency : std::uint8_t {
    ordinary,   ///< Refused when only the room for promotions is left.
    promotion,  ///< May use that room, and overtakes ordinary appends that wait.
};

/// What a journal has room for.
enum class Space : std::uint8_t {
    ok,
    reserve_only,  ///< The disk is full: ordinary appends are refused, promotions are not.
};

/// An entry to be appended. The journal assigns its index and epoch.
struct Draft {
    EntryType type = EntryType::command;
    Buffer body;
};

/// What this member may do in the journal, as far as it knows.
struct Standing {
    Role role = Role::standby;  ///< active: append() is accepted. standby: another member appends.
    Epoch epoch;                ///< Of the newest tenure that is known.
    std::string active;         ///< Name of the member whose tenure it is; empty if not known.
    friend bool operator==(const Standing&, const Standing&) = default;
};

/// The size of one slice of a replay: short enough not to block the loop, long enough to be cheap.
inline constexpr std::size_t replay_slice_bytes = 256 * KiB;
inline constexpr std::size_t replay_slice_entries = 4096;

/// A part of a checkpoint. The parts come in order.
struct StateSlice {
    Index at;  ///< The state is that after this entry.
    Bytes bytes;
    bool first = false;
    bool last = false;  ///< May be the first too, and may be empty.
};

/// Is told what a journal contains.
///
/// It is told everything in order, each entry once: first what was there when the journal was
/// opened, then each entry when it is committed, whichever member appended it. The observer of a
/// standby is told the same. Thread: loop only.
class Observer {
public:
    virtual ~Observer() = default;

    /// Replaces everything told so far by the state after entry `slice.at`. The slices come from
    /// the first to the last, with no other call between them. It happens while the journal is
    /// opened, and at a standby that lags so much that it is sent a checkpoint. An error ends the
    /// opening, or the journal.
    [[nodiscard]] virtual Result<void> restore(const StateSlice& slice) = 0;
    /// The next entry is committed. May destroy the journal.
    virtual void committed(const Entry& entry) = 0;
    /// The role is active only after everything before the tenure has been told. May destroy the
    /// journal. The first call comes before the end of the opening.
    virtual void standing_changed(const Standing& standing) = 0;
    virtual void space_changed(Space space) = 0;
    /// The journal cannot go on. This is the last call, and it comes once. May destroy the journal.
    virtual void failed(const Error& error) = 0;
};

/// An opening under way. Destroying it abandons the opening; no callback is called after that.
class Opening {
public:
    virtual ~Opening() = default;
};

/// A checkpoint that is being written, a slice at a time. Destroying it before finish() has called
/// back abandons it and removes what was written.
///
/// Thread: loop only.
class CheckpointWriter {
public:
    using Done = std::function<void(Result<void>)>;
    static constexpr std::size_t slice_bytes_max = 4 * MiB;

    virtual ~CheckpointWriter() = default;

    /// The checkpoint is the state after this entry, the last one that was committed when it was
    /// begun.
    [[nodiscard]] virtual Index at() const = 0;
    /// Takes the next slice. `done` asks for the one after it, and is never called within this
    /// call.
    /// Requires: no write of this checkpoint is under way. Errors: limit_exceeded, no_space,
    /// disk_failed, closed (none).
    virtual void write(Buffer slice, Done done) = 0;
    /// Makes the checkpoint durable. From then on it counts, and entries before the previous
    /// checkpoint may be deleted. Errors: as write().
    virtual void finish(Done done) = 0;
};

/// An ordered sequence of entries with one appender per epoch, and checkpoints.
///
/// Three kinds have this interface: local (one process), shared directory, replicated. An entry
/// counts when it is *committed*: it is durable where the journal promises it, and the epoch of its
/// appender is still the highest. Only then is it told to the observer and acknowledged.
///
/// Destroying it abandons what is in flight, which may or may not become durable, and no callback
/// is called after that. close() is the orderly end.
///
/// Thread: loop only.
class Journal {
public:
    using Appended = std::function<void(Result<Index>)>;
    using Done = std::function<void(Result<void>)>;

    virtual ~Journal() = default;

    /// Appends `drafts` in order and next to each other, and calls `done` with the index of the
    /// last.
    ///
    /// `done` is called once and never within this call, directly after the observer was told the
    /// entries. The calls for appends of one urgency come in the order of the appends.
    ///
    /// Requires: drafts is not empty.
    /// Errors: not_active (none: not taken; unknown: the tenure ended while it was under way),
    ///         no_space (none), limit_exceeded (none: too long, or too much is waiting),
    ///         closed (none), disk_failed (unknown, and the same for ever), no_such_file (the same,
    ///         of a directory that was removed or replaced).
    virtual void append(std::vector<Draft> drafts, Urgency urgency, Appended done) = 0;

    /// Calls `done` when it is certain that this member was active at the time of this call. The
    /// observer has then been told everything that was acknowledged before this call. For
    /// linearizable reads.
    /// Errors: not_active (none), closed, disk_failed (none).
    virtual void confirm(Done done) = 0;

    /// To be called periodically. Notices that the directory was removed or replaced, if the kernel
    /// does not report that. Cheap: it looks once a second at most.
    virtual void look() {}

    /// Begins a checkpoint of the state after entry committed(); any role may take one.
    /// Errors: limit_exceeded (none: one is being written), closed, disk_failed (none).
    [[nodiscard]] virtual Result<std::unique_ptr<CheckpointWriter>> begin_checkpoint() = 0;

    /// Makes durable what was accepted, then releases the disk, then calls `done`.
    /// Requires: called once.
    virtual void close(std::function<void()> done) = 0;

    [[nodiscard]] virtual const Standing& standing() const = 0;
    /// The epoch of the tenure in which this journal appends, or whose entries it receives. It is
    /// higher than any before.
    [[nodiscard]] Epoch epoch() const { return standing().epoch; }
    /// The last entry that the observer was told.
    [[nodiscard]] virtual Index committed() const = 0;
    /// The newest durable checkpoint; 0 if there is none.
    [[nodiscard]] virtual Index checkpoint() const = 0;
    [[nodiscard]] virtual Space space() const = 0;
};

/// The result of an opening.
using Opened = std::function<void(Result<std::unique_ptr<Journal>>)>;

/// Opens a journal of any kind for `observer`, which outlives the journal. A Replica is given this.
using Open = std::function<std::unique_ptr<Opening>(Observer& observer, Opened opened)>;

}  // namespace understudy::journal
