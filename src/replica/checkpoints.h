#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "journal/journal.h"
#include "replica/checkpoint_stream.h"
#include "runtime/runtime.h"

namespace understudy::replica {

/// Which member takes checkpoints when they are due.
enum class CheckpointDuty : std::uint8_t {
    mine,      ///< This member in every role: it is alone, or it is the checkpointer.
    others,    ///< Another member.
    standbys,  ///< This member while it is standby. While it is active, only when twice as much is
               ///< due: then no other member seems to be able to.
};

/// Takes checkpoints in the background: one slice at a time, between commands.
///
/// Thread: loop only.
class Checkpoints {
public:
    struct Options {
        std::uint64_t every_commands = 0;  ///< 0: the number does not matter.
        /// Bytes of commands since the last checkpoint. It is due after at least as many bytes as
        /// the last checkpoint has, so that checkpoints never write more than commands do. 0: the
        /// bytes do not matter.
        std::uint64_t every_bytes = 64 * MiB;
        std::size_t slice_bytes = 128 * KiB;  ///< About. A command may have to wait for one slice.
        Duration retry_min = 1s;              ///< After a failure. Doubles up to retry_max.
        Duration retry_max = 60s;
    };
    struct Counters {
        std::uint64_t taken = 0;
        std::uint64_t failed = 0;
        std::uint64_t dropped = 0;  ///< Because of a promotion, or of a restored state.
        std::uint64_t bytes_last = 0;
    };
    using Taken = std::function<void(Result<Index>)>;

    /// Requires: all arguments outlive it.
    Checkpoints(Runtime& runtime, Log& log, Options options, const Replicated& replicated,
                StateMachine& machine);
    ~Checkpoints();
    Checkpoints(const Checkpoints&) = delete;
    Checkpoints& operator=(const Checkpoints&) = delete;

    /// To be called when the journal is open.
    /// Requires: the journal outlives this object, or stop() is called before its end.
    void start(journal::Journal& journal);
    /// An entry with this number of commands and bytes has been applied.
    void applied(std::uint64_t commands, std::uint64_t bytes);
    void set_role(Role role);
    void set_duty(CheckpointDuty duty);
    /// Takes a checkpoint of the present state. If one is being written, the next begins directly
    /// after it and serves all calls that came meanwhile. `taken` may destroy this object.
    /// Errors: no_space, disk_failed, limit_exceeded, closed (none).
    void now(Taken taken);
    /// The state is being restored: the checkpoint that is being written is abandoned.
    void drop();
    /// No further checkpoint begins. The one that is being written is abandoned, and every pending
    /// now() gets `closed`.
    void stop();

    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    [[nodiscard]] bool due() const;
    void consider();
    void begin_if_due();
    void begin();
    void step();
    void write(Buffer slice);
    void written(Result<void> result);
    void ended(Result<Index> result);
    void give_up();
    void later(std::function<void()> task);

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    const Replicated& replicated_;
    StateMachine& machine_;
    journal::Journal* journal_ = nullptr;

    Role role_ = Role::joining;
    CheckpointDuty duty_ = CheckpointDuty::mine;
    std::uint64_t commands_ = 0;  ///< Since the newest known checkpoint.
    std::uint64_t bytes_ = 0;
    std::uint64_t covered_commands_ = 0;  ///< In the checkpoint that is being written.
    std::uint64_t covered_bytes_ = 0;
    Index newest_;
    Counters counters_;

    TurnEnd begin_;
    bool writing_ = false;
    bool more_ = false;  ///< The source has more.
    Buffer rest_;        ///< Of the last piece of the source: it is longer than a slice.
    std::uint64_t written_bytes_ = 0;
    std::vector<Taken> wanted_;   ///< Served by the next checkpoint.
    std::vector<Taken> serving_;  ///< Served by the checkpoint that is being written.
    std::unique_ptr<CheckpointSource> source_;
    std::unique_ptr<journal::CheckpointWriter> writer_;
    Duration retry_after_{};
    std::unique_ptr<Timer> retry_;
    bool stopped_ = false;
    Lifetime life_;
};

}  // namespace understudy::replica
