#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "journal/format/entry.h"

namespace understudy::journal {

/// Which appends go on when the disk is full.
enum class Urgency : std::uint8_t {
    ordinary,   ///< Refused once only the room kept for promotions is left.
    promotion,  ///< May use that room, and overtakes ordinary ones that wait.
};

/// What a journal has room for.
enum class Space : std::uint8_t {
    ok,
    reserve_only,  ///< The disk is full: ordinary appends are refused, promotions are not.
};

/// What somebody wants to append; index and epoch are the journal's to give.
struct Draft {
    EntryType type = EntryType::command;
    Buffer body;
};

/// What this member may do in the journal, as far as it knows.
struct Standing {
    Role role = Role::standby;  ///< active: append() is taken. standby: entries come from another.
    Epoch epoch;                ///< Of the newest tenure heard of.
    std::string active;         ///< Name of the member whose tenure it is; empty if not known.
    friend bool operator==(const Standing&, const Standing&) = default;
};

/// One slice of what is replayed: short enough not to hold up a loop, long enough to be cheap.
inline constexpr std::size_t replay_slice_bytes = 256 * KiB;
inline constexpr std::size_t replay_slice_entries = 4096;

/// A part of a checkpoint, in order.
struct StateSlice {
    Index at;  ///< The state is that after this entry.
    Bytes bytes;
    bool first = false;
    bool last = false;  ///< May be the first too, and may be empty.
};

/// Who hears what a journal holds.
///
/// All of it comes this way, in order, each entry once: first what was there when it was opened,
/// then each entry as it becomes committed, whoever appended it. A standby's observer hears the
/// same. Thread: loop only.
class Observer {
public:
    virtual ~Observer() = default;

    /// Replaces everything heard so far by the state after entry `slice.at`, from the first slice
    /// to the last without anything else between. While opening, and again at a standby that was so
    /// far behind that it is sent a checkpoint. An error ends the opening, or the journal.
    [[nodiscard]] virtual Result<void> restore(const StateSlice& slice) = 0;
    /// The next entry is committed. May destroy the journal.
    virtual void committed(const Entry& entry) = 0;
    /// It comes as active only when everything before the tenure has been heard. May destroy the
    /// journal. The first call precedes the end of the opening.
    virtual void standing_changed(const Standing& standing) = 0;
    virtual void space_changed(Space space) = 0;
    /// The journal has ended its tenure: the last call, once. May destroy the journal.
    virtual void failed(const Error& error) = 0;
};

/// An opening under way. Destroying it gives up; nobody is called any more.
class Opening {
public:
    virtual ~Opening() = default;
};

/// A checkpoint that is being written, a slice at a time. Destroying it before finish() has called
/// back gives it up, and nothing is left of it.
///
/// Thread: loop only.
class CheckpointWriter {
public:
    using Done = std::function<void(Result<void>)>;
    static constexpr std::size_t slice_bytes_max = 4 * MiB;

    virtual ~CheckpointWriter() = default;

    /// The entry whose state it is: what was committed when it was begun.
    [[nodiscard]] virtual Index at() const = 0;
    /// Takes the next slice; `done` asks for the one after it, never within this call.
    /// Requires: nothing of it is under way. Errors: limit_exceeded, no_space, disk_failed, closed
    /// (none).
    virtual void write(Buffer slice, Done done) = 0;
    /// Makes it durable; from then on it counts, and entries before the checkpoint that precedes it
    /// may be forgotten. Errors: as write().
    virtual void finish(Done done) = 0;
};

/// An ordered sequence of entries with one appender per epoch, plus checkpoints.
///
/// Three kinds with one face: local (one process), shared directory, replicated. An entry counts
/// once it is *committed*: durable where the journal promises it, and by an appender whose epoch is
/// still the highest. Only then is it told to the observer and acknowledged.
///
/// Destroying it gives up: what is in flight may or may not become durable, and nobody is called
/// any more. close() is the orderly way.
///
/// Thread: loop only.
class Journal {
public:
    using Appended = std::function<void(Result<Index>)>;
    using Done = std::function<void(Result<void>)>;

    virtual ~Journal() = default;

    /// Appends `drafts`, adjacent and in order, and calls `done` with the index of the last.
    ///
    /// `done` is called once, never within this call, in the order of the appends of one urgency,
    /// right after the observer has heard the entries.
    ///
    /// Requires: drafts is not empty.
    /// Errors: not_active (none: not taken; unknown: the tenure ended while it was under way),
    ///         no_space (none), limit_exceeded (none: too long, or too much is waiting),
    ///         closed (none), disk_failed (unknown, and the same for ever), no_such_file (the same,
    ///         of a directory that was removed or replaced).
    virtual void append(std::vector<Draft> drafts, Urgency urgency, Appended done) = 0;

    /// Calls `done` once it is certain that this member was active when it was called: what the
    /// observer has heard by then is all that was ever acknowledged before. For linearizable reads.
    /// Errors: not_active (none), closed, disk_failed (none).
    virtual void confirm(Done done) = 0;

    /// To be called by whoever has a tick: notices that what it lies on was removed or replaced,
    /// where the kernel does not tell. Cheap: looks once a second at most.
    virtual void look() {}

    /// Begins a checkpoint of the state after entry committed(); any role may take one.
    /// Errors: limit_exceeded (none: one is being written), closed, disk_failed (none).
    [[nodiscard]] virtual Result<std::unique_ptr<CheckpointWriter>> begin_checkpoint() = 0;

    /// Lets what was accepted become durable, then lets go of the disk; `done` comes last.
    /// Requires: called once.
    virtual void close(std::function<void()> done) = 0;

    [[nodiscard]] virtual const Standing& standing() const = 0;
    /// Which tenure this journal appends in, or hears of; higher than any before.
    [[nodiscard]] Epoch epoch() const { return standing().epoch; }
    /// The last entry that the observer has heard.
    [[nodiscard]] virtual Index committed() const = 0;
    /// The newest durable checkpoint; 0 if there is none.
    [[nodiscard]] virtual Index checkpoint() const = 0;
    [[nodiscard]] virtual Space space() const = 0;
};

/// What an opening ends with.
using Opened = std::function<void(Result<std::unique_ptr<Journal>>)>;

/// Opens some kind of journal for `observer`, which outlives it: what a Replica is given.
using Open = std::function<std::unique_ptr<Opening>(Observer& observer, Opened opened)>;

}  // namespace understudy::journal
