#pragma once

#include <cstdint>
#include <memory>

#include "session/table.h"
#include "understudy/state_machine.h"

namespace understudy::replica {

/// What a replica keeps beside its state machine; both together make a checkpoint.
struct Replicated {
    session::Table sessions;
    Duration time{};  ///< Log time of the newest entry.
};

/// A checkpoint as a stream of bytes: log time, sessions and state machine as they were when this
/// was made.
///
/// Thread: loop only. Both that it was made from outlive it.
/// Source: docs/formats/session.md, section "Checkpoints".
class CheckpointSource {
public:
    CheckpointSource(const Replicated& replicated, StateMachine& machine);

    /// Appends about `bytes_about` to `out`. False if that was the end.
    /// Errors: limit_exceeded (none): the state machine made a piece that is too long.
    [[nodiscard]] Result<bool> next(Buffer& out, std::size_t bytes_about);

private:
    enum class Stage { head, sessions, machine, end };

    const Duration time_;
    std::unique_ptr<session::Table::Image> sessions_;
    std::unique_ptr<Snapshot> machine_;
    Stage stage_ = Stage::head;
};

/// Takes a checkpoint in slices of any size, and restores what it was made from.
class CheckpointSink {
public:
    CheckpointSink(Replicated& replicated, StateMachine& machine)
        : replicated_(replicated), machine_(machine) {}

    /// Errors: corrupt (none), what the state machine answers with.
    [[nodiscard]] Result<void> take(Bytes slice, bool first, bool last);

private:
    enum class Stage { head, sessions, machine, ended };

    [[nodiscard]] Result<void> frame(std::uint8_t kind, Bytes body);

    Replicated& replicated_;
    StateMachine& machine_;
    Stage stage_ = Stage::head;
    bool first_of_stage_ = true;
    Buffer rest_;  ///< Of a frame that is not whole yet.
};

}  // namespace understudy::replica
