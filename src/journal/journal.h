#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "journal/entry.h"

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

/// Who hears what a journal holds.
///
/// All of it comes this way, in order, each entry once: first what was there when it was opened,
/// then each entry as it becomes durable, whoever appended it. A standby's observer hears the same.
/// Thread: loop only.
class Observer {
public:
    virtual ~Observer() = default;

    /// Replaces everything heard so far by the state after entry `at`. An error ends the opening.
    [[nodiscard]] virtual Result<void> restore(Index at, Bytes state) = 0;
    /// The next entry is durable. May destroy the journal.
    virtual void committed(const Entry& entry) = 0;
    virtual void space_changed(Space space) = 0;
    /// The journal has ended its tenure: the last call, once. May destroy the journal.
    virtual void failed(const Error& error) = 0;
};

/// An opening under way. Destroying it gives up; nobody is called any more.
class Opening {
public:
    virtual ~Opening() = default;
};

/// An ordered sequence of entries with one appender per epoch, plus checkpoints.
///
/// The local journal is the first kind; the shared-directory and the replicated journal have the
/// same face. An entry counts once it is *durable*: only then is it committed() to the observer
/// and acknowledged.
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
    /// Errors: no_space (none), limit_exceeded (none: too long, or too much is waiting),
    ///         closed (none), disk_failed (unknown, and the same for ever).
    virtual void append(std::vector<Draft> drafts, Urgency urgency, Appended done) = 0;

    /// Keeps `state` as the state after entry committed(); entries before the checkpoint that
    /// precedes it may then be forgotten. Calls `done` once it is durable.
    /// Errors: limit_exceeded (none: one is being written), no_space (none), disk_failed (none),
    ///         closed (none).
    virtual void save_checkpoint(Buffer state, Done done) = 0;

    /// Lets what was accepted become durable, then lets go of the disk; `done` comes last.
    /// Requires: called once.
    virtual void close(std::function<void()> done) = 0;

    /// Which tenure this journal appends in; higher than any before.
    [[nodiscard]] virtual Epoch epoch() const = 0;
    /// The last entry that the observer has heard.
    [[nodiscard]] virtual Index committed() const = 0;
    /// The newest durable checkpoint; 0 if there is none.
    [[nodiscard]] virtual Index checkpoint() const = 0;
    [[nodiscard]] virtual Space space() const = 0;
};

/// What an opening ends with.
using Opened = std::function<void(Result<std::unique_ptr<Journal>>)>;

}  // namespace understudy::journal
