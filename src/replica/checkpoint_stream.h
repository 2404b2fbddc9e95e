#pragma once

#include <cstdint>
#include <memory>

#include "session/table.h"
#include "understudy/state_machine.h"

namespace understudy::replica {

/// What a replica keeps in addition to its state machine. A checkpoint holds both.
struct Replicated {
    session::Table sessions;
    Duration time{};  ///< Log time of the newest entry.
};

/// A checkpoint as a stream of bytes: log time, sessions and state machine as they were when this
/// object was constructed.
///
/// Requires: the arguments of the constructor outlive it.
/// Thread: loop only.
/// Source: docs/formats/session.md, section "Checkpoints".
class CheckpointSource {
public:
    CheckpointSource(const Replicated& replicated, StateMachine& machine);

    /// Appends about `bytes_about` bytes to `out`. Returns false if they were the last ones.
    /// Errors: limit_exceeded (none): the state machine returned a piece that is too long.
    [[nodiscard]] Result<bool> next(Buffer& out, std::size_t bytes_about);

private:
    enum class Stage { head, sessions, machine, end };

    const Duration time_;
    std::unique_ptr<session::Table::Image> sessions_;
    std::unique_ptr<Snapshot> machine_;
    Stage stage_ = Stage::head;
};

/// Reads a checkpoint in slices of any size, and restores sessions and state machine from it.
class CheckpointSink {
public:
    CheckpointSink(Replicated& replicated, StateMachine& machine)
        : replicated_(replicated), machine_(machine) {}

    /// Errors: corrupt (none); the error that the state machine returns.
    [[nodiscard]] Result<void> take(Bytes slice, bool first, bool last);

private:
    enum class Stage { head, sessions, machine, ended };

    [[nodiscard]] Result<void> frame(std::uint8_t kind, Bytes body);

    Replicated& replicated_;
    StateMachine& machine_;
    Stage stage_ = Stage::head;
    bool first_of_stage_ = true;
    Buffer rest_;  ///< The beginning of a frame that is not complete yet.
};

}  // namespace understudy::replica
