#pragma once

#include <cstdint>

#include "base/types.h"

namespace understudy::replica {

/// A service's state, changed by the commands of a journal and by nothing else.
///
/// Deterministic: no clock, no random, no I/O; time and randomness come in as commands. The same
/// commands in the same order give the same state, byte for byte, on every machine: that is what
/// lets a standby take over, and a restart be a replay.
///
/// Thread: loop only.
class StateMachine {
public:
    virtual ~StateMachine() = default;

    /// Carries out one command. Indexes grow, with gaps: not every entry is a command.
    /// `command` lives as long as the call. It was proposed by us, yet may be years old: one that
    /// makes no sense is refused by leaving the state as it is, always in the same way.
    virtual void apply(Index index, Bytes command) = 0;

    /// Appends the whole state to `out`.
    virtual void snapshot(Buffer& out) const = 0;

    /// Replaces the whole state by what snapshot() wrote. Ends a start if it fails.
    /// Errors: corrupt, limit_exceeded (none).
    [[nodiscard]] virtual Result<void> restore(Bytes snapshot) = 0;

    /// Equal for equal states, on every machine. For checkers and consoles.
    [[nodiscard]] virtual std::uint64_t hash() const = 0;
};

}  // namespace understudy::replica
