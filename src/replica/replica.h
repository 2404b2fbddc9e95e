#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "journal/journal.h"
#include "replica/state_machine.h"
#include "runtime/runtime.h"

namespace understudy::replica {

using journal::Space;
using journal::Urgency;

/// Hosts a StateMachine on a journal: propose a command, hear when it is durable and applied.
///
/// Adds to the journal what every service needs: replay when it starts, checkpoints in the
/// background. What the machine did with a command is the caller's to ask the machine in `done`.
///
/// Destroying it gives up; close() is the orderly way. Both may be called in any callback.
/// Thread: loop only.
class Replica final : private journal::Observer {
public:
    struct Options {
        std::string directory;  ///< Made if absent. One journal, one process at a time.
        std::uint64_t segment_size_bytes = 1 * MiB;       ///< 64 KiB to 4 GiB, in steps of 4 KiB.
        std::uint64_t queue_bytes_max = 32 * MiB;         ///< Commands that wait for the disk.
        std::uint64_t checkpoint_every_entries = 10'000;  ///< Commands; 0: only when asked.
    };

    using Opened = std::function<void(Result<std::unique_ptr<Replica>>)>;
    using Proposed = std::function<void(Result<Index>)>;

    /// Restores `machine` from the newest checkpoint, replays what follows, begins a new epoch,
    /// then calls `opened` once, never within this call.
    ///
    /// Requires: `machine` is as new, and outlives the Replica.
    /// Errors: in_use (none: another process has the directory), corrupt (none: damage below what
    ///         was durable; says which entry), bad_config (none), no_space (none), disk_failed
    ///         (unknown), or what machine.restore() returned.
    [[nodiscard]] static std::unique_ptr<journal::Opening> open(Runtime& runtime, Log& log,
                                                                Options options,
                                                                StateMachine& machine,
                                                                Opened opened);
    ~Replica() override;

    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    /// Makes `command` durable, applies it, then calls `done` with its index: once, in order,
    /// never within this call.
    /// Errors: no_space (none), limit_exceeded (none), closed (none), disk_failed (unknown).
    void propose(Buffer command, Urgency urgency, Proposed done);

    /// Takes a checkpoint of the state as it is now; `done` gets its index once it is durable.
    /// If one is being taken, the next begins right after it, for all who asked meanwhile.
    /// Errors: no_space, disk_failed, closed (none).
    void checkpoint_now(Proposed done);

    /// Refuses what comes from now on, lets what was accepted finish, then calls `done`.
    void close(std::function<void()> done);

    /// Called once when the journal has failed for good: this member must give up its role.
    /// Comes after every pending propose() has been told.
    void on_failed(std::function<void(const Error&)> failed);
    void on_space_changed(std::function<void(Space)> changed);

    [[nodiscard]] Index applied() const { return applied_; }
    [[nodiscard]] Epoch epoch() const;
    [[nodiscard]] Space space() const;
    /// The newest durable checkpoint; 0 if there is none.
    [[nodiscard]] Index checkpoint() const;

private:
    class Starting;

    Replica(Runtime& runtime, Log& log, StateMachine& machine,
            std::uint64_t checkpoint_every_entries);

    Result<void> restore(const journal::StateSlice& slice) override;
    void committed(const journal::Entry& entry) override;
    void standing_changed(const journal::Standing&) override {}
    void space_changed(Space space) override;
    void failed(const Error& error) override;

    void take_checkpoint();
    void write_checkpoint();
    void checkpoint_ended(const Result<void>& result);

    Runtime& runtime_;
    Log& log_;
    StateMachine& machine_;
    const std::uint64_t checkpoint_every_entries_;

    Index applied_;
    std::uint64_t commands_since_checkpoint_ = 0;
    bool taking_checkpoint_ = false;
    std::vector<Proposed> want_checkpoint_;  ///< Served by the next one.
    std::vector<Proposed> get_checkpoint_;   ///< Served by this one.
    Index checkpoint_at_;                    ///< Of the one being taken.
    Buffer snapshot_;                        ///< Being written, or restored.
    std::size_t written_ = 0;                ///< Of it.
    std::unique_ptr<Timer> retry_;           ///< After a checkpoint that failed.
    bool retry_armed_ = false;
    bool closing_ = false;
    std::function<void(const Error&)> on_failed_;
    std::function<void(Space)> on_space_changed_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< Ends with the Replica.
    std::unique_ptr<journal::Journal> journal_;                   ///< Null while opening.
    std::unique_ptr<journal::CheckpointWriter> writer_;
};

}  // namespace understudy::replica
