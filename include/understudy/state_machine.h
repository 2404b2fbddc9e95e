#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "understudy/types.h"

namespace understudy {

/// One command for a state machine. The body lives as long as the call.
struct Command {
    Index index;              ///< Of the journal entry that holds it.
    std::uint32_t place = 0;  ///< Among the commands of that entry, from 0.
    /// How long the service has had an active member so far, in steps of a millisecond. It is the
    /// same at every member and never decreases. A state machine may use no other clock.
    Duration time = {};
    Bytes body;
};

/// A state as it was at one moment, in pieces. The destructor abandons it.
///
/// Thread: that of its state machine.
class Snapshot {
public:
    virtual ~Snapshot() = default;

    /// Appends the next piece to `out`, about `bytes_about` long; commands wait meanwhile. Returns
    /// false if it was the last piece, which may be empty.
    /// Bounds: a piece has at most StateMachine::piece_bytes_max bytes.
    [[nodiscard]] virtual bool next(Buffer& out, std::size_t bytes_about) = 0;
};

/// The position of a piece in its snapshot. A piece may be both the first and the last.
struct PiecePlace {
    bool first = false;
    bool last = false;
};

/// A service's state. The commands of a journal change it, and nothing else does.
///
/// It is deterministic: no clock, no random numbers, no I/O; all input from outside comes in
/// commands. The same commands in the same order give the same state and the same replies, byte for
/// byte, at every member. Because of that a standby can take over, and a restart can replay the
/// journal.
///
/// Thread: the loop thread of the replica. Every call must return soon: nothing else runs
/// meanwhile, not even heartbeats.
class US_API StateMachine {
public:
    static constexpr std::size_t piece_bytes_max = 64 * MiB;

    virtual ~StateMachine();

    /// Carries out one command. `reply` is empty; what is appended to it goes to the client.
    /// A member has proposed the command, but it may be years old. If it makes no sense, apply()
    /// leaves the state as it is, always in the same way.
    virtual void apply(const Command& command, Buffer& reply) = 0;

    /// The state as it is now. It does not change for the snapshot, whatever apply() does
    /// meanwhile. At most one snapshot exists at a time.
    [[nodiscard]] virtual std::unique_ptr<Snapshot> begin_snapshot() = 0;

    /// Replaces the state by that of a snapshot. The pieces come as next() made them, from the
    /// first to the last. A first piece ends a restoration that was under way.
    /// Errors: corrupt, limit_exceeded (none): the member does not start.
    [[nodiscard]] virtual Result<void> restore_piece(Bytes piece, PiecePlace place) = 0;

    /// Equal for equal states, at every member. For checks and displays.
    [[nodiscard]] virtual std::uint64_t hash() const = 0;
};

/// A state machine whose state is small enough to be copied at once: a few MiB.
///
/// Commands wait while the state is copied, about a millisecond per MiB. For a larger state use
/// SnapshotMap.
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
    Buffer pieces_;  ///< Of a restoration that is under way.
};

}  // namespace understudy
