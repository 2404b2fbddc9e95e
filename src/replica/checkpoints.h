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

/// Who takes checkpoints when they are due.
enum class CheckpointDuty : std::uint8_t {
    mine,      ///< This member, whatever its role: it is alone, or the checkpointer.
    others,    ///< Not this one.
    standbys,  ///< This one while it is standby. As active only if twice as much has gathered: then
               ///< it seems that nobody else can.
};

/// Takes checkpoints in the background, a slice between the commands of two loop turns.
///
/// Thread: loop only.
class Checkpoints {
public:
    struct Options {
        std::uint64_t every_commands = 0;  ///< 0: by bytes only.
        /// Of commands, and at least as many as the last checkpoint was long: so that checkpoints
        /// never write more than commands do. 0: by number only.
        std::uint64_t every_bytes = 64 * MiB;
        std::size_t slice_bytes = 128 * KiB;  ///< About; what a command may have to wait for.
        Duration retry_min = 1s;              ///< After one that failed; doubles up to the other.
        Duration retry_max = 60s;
    };
    struct Counters {
        std::uint64_t taken = 0;
        std::uint64_t failed = 0;
        std::uint64_t dropped = 0;  ///< For a promotion, or a state that came from elsewhere.
        std::uint64_t bytes_last = 0;
    };
    using Taken = std::function<void(Result<Index>)>;

    /// All outlive this.
    Checkpoints(Runtime& runtime, Log& log, Options options, const Replicated& replicated,
                StateMachine& machine);
    ~Checkpoints();
    Checkpoints(const Checkpoints&) = delete;
    Checkpoints& operator=(const Checkpoints&) = delete;

    /// The journal is open. It outlives this, or stop() comes first.
    void start(journal::Journal& journal);
    /// An entry with so much for the state machine has been applied.
    void applied(std::uint64_t commands, std::uint64_t bytes);
    void set_role(Role role);
    void set_duty(CheckpointDuty duty);
    /// Takes one of the state as it is; if one is under way, the next begins right behind it, for
    /// all who asked meanwhile. `taken` may destroy this.
    /// Errors: no_space, disk_failed, limit_exceeded, closed (none).
    void now(Taken taken);
    /// A state comes from elsewhere: what is under way is worth nothing any more.
    void drop();
    /// No further one is begun; what is under way is given up, and who asked is told.
    void stop();

    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    enum class Stage { idle, scheduled, writing };

    [[nodiscard]] bool due() const;
    void consider();
    void schedule();
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
    std::uint64_t commands_ = 0;  ///< Since the newest checkpoint we know of.
    std::uint64_t bytes_ = 0;
    std::uint64_t covered_commands_ = 0;  ///< By the one that is being written.
    std::uint64_t covered_bytes_ = 0;
    Index newest_;
    Counters counters_;

    Stage stage_ = Stage::idle;
    bool more_ = false;  ///< The source has more.
    Buffer rest_;        ///< Of what it gave.
    std::uint64_t written_bytes_ = 0;
    std::vector<Taken> wanted_;   ///< Served by the next one.
    std::vector<Taken> serving_;  ///< By the one that is being written.
    std::unique_ptr<CheckpointSource> source_;
    std::unique_ptr<journal::CheckpointWriter> writer_;
    Duration retry_after_{};
    std::unique_ptr<Timer> retry_;
    bool stopped_ = false;
    Lifetime life_;
};

}  // namespace understudy::replica
