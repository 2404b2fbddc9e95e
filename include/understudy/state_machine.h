#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "understudy/types.h"

namespace understudy {

/// One command on its way into a state machine. The body lives as long as the call.
struct Command {
    Index index;              ///< Of the journal's entry that holds it.
    std::uint32_t place = 0;  ///< Among the commands of that entry, from 0.
    /// How long the service has had an active member so far, in steps of a millisecond: the same at
    /// every member, and never less than before. The only clock a state machine may look at.
    Duration time = {};
    Bytes body;
};

/// A state as it was at one moment, given out piece by piece. Destroying it gives it up.
///
/// Thread: as its state machine.
class Snapshot {
public:
    virtual ~Snapshot() = default;

    /// Appends the next piece to `out`, about `bytes_about` long: commands wait meanwhile. False if
    /// it was the last; the last may be empty.
    /// Bounds: a piece is at most StateMachine::piece_bytes_max long.
    [[nodiscard]] virtual bool next(Buffer& out, std::size_t bytes_about) = 0;
};

/// Where a piece stands among those of its snapshot. It may be the first and the last.
struct PiecePlace {
    bool first = false;
    bool last = false;
};

/// A service's state, changed by the commands of a journal and by nothing else.
///
/// Deterministic: no clock, no random, no I/O; what comes from outside comes in commands. The same
/// commands in the same order give the same state and the same replies, byte for byte, at every
/// member: that is what lets a standby take over, and a restart be a replay.
///
/// Thread: the loop thread of the replica. Every call must return soon: while it runs, nothing else
/// does, heartbeats included.
class US_API StateMachine {
public:
    static constexpr std::size_t piece_bytes_max = 64 * MiB;

    virtual ~StateMachine();

    /// Carries out one command; what is appended to `reply`, which is empty, goes to who asked.
    /// A command was proposed by a member, yet may be years old: one that makes no sense is refused
    /// by leaving the state as it is, always in the same way.
    virtual void apply(const Command& command, Buffer& reply) = 0;

    /// The state as it is now, whatever apply() does while the pieces are taken.
    /// At most one snapshot exists at a time.
    [[nodiscard]] virtual std::unique_ptr<Snapshot> begin_snapshot() = 0;

    /// Replaces the state by that of a snapshot, which comes in the pieces that next() made, from
    /// the first to the last. The first one makes an end of a restoration that was under way.
    /// Errors: corrupt, limit_exceeded (none): the member does not start.
    [[nodiscard]] virtual Result<void> restore_piece(Bytes piece, PiecePlace place) = 0;

    /// Equal for equal states, at every member. For checkers and consoles.
    [[nodiscard]] virtual std::uint64_t hash() const = 0;
};

/// A state machine whose state is small enough to be copied at once: a few MiB.
///
/// When not to use it: commands wait while the state is copied, about a millisecond per MiB. For
/// more there is SnapshotMap.
class US_API SmallStateMachine : public StateMachine {
public:
    /// Appends the whole state to `out`. Equal states append equal bytes.
    virtual void snapshot(Buffer& out) const = 0;
    /// Replaces the whole state by what snapshot() wrote. Errors: corrupt, limit_exceeded (none).
    [[nodiscard]] virtual Result<void> restore(Bytes state) = 0;

    [[nodiscard]] std::unique_ptr<Snapshot> begin_snapshot() final;
    [[nodiscard]] Result<void> restore_piece(Bytes piece, PiecePlace place) final;
    [[nodiscard]] std::uint64_t hash() const override;  ///< Of snapshot().

private:
    Buffer pieces_;  ///< Of a restoration under way.
};

}  // namespace understudy
