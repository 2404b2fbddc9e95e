#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "journal/appender.h"
#include "journal/directory_hold.h"
#include "journal/format/checkpoint_file.h"
#include "journal/shared/shared_claim.h"
#include "journal/shared/shared_journal.h"
#include "journal/shared/shared_takeover.h"
#include "journal/shared/shared_writer.h"

namespace understudy::journal {

/// A checkpoint that is being written. All members together write one at a time in a directory.
struct SharedCheckpoint {
    SharedCheckpoint(Disk& disk, std::string directory, const Checkpoint& checkpoint)
        : at(checkpoint.at), file(disk, std::move(directory), checkpoint) {}

    const Index at;
    std::unique_ptr<File> lock;  ///< Used by the checkpoint worker only, like `file`.
    CheckpointFile file;
};

/// A shared journal in service, as a standby or as the active member.
///
/// It has four workers. `journal` reads, takes over, and writes and syncs batches, one job at a
/// time. `reserve` makes segments. `checkpoint` writes checkpoints and removes what is superfluous.
/// `stamp` does short jobs: it writes the claim, looks at the claim of the owner, and reads the
/// epoch for confirm(). A job owns what it uses and returns its result to the loop. If the journal
/// has been destroyed by then, or the tenure of the job has ended, the result is discarded.
class SharedJournal::Core final : public std::enable_shared_from_this<Core> {
public:
    Core(Runtime& runtime, Log& log, Options options, Observer& observer);

    void begin(SharedOpened opened);
    /// Called instead of begin(). Reports `error` later.
    void refuse_opening(Error error, SharedOpened opened);
    /// The Opening is destroyed. Does nothing if the opening has ended.
    void give_up();
    /// The journal is destroyed. No callback is called from now on.
    void detach();
    [[nodiscard]] bool detached() const { return phase_ == Phase::detached; }

    void prompt(Index committed, Epoch epoch);
    void suspect();
    void take_over(Epoch at_least, Taken done);
    void step_down(Done done);
    void append(std::vector<Draft> drafts, Urgency urgency, Appended done);
    void confirm(Done done);
    void close(std::function<void()> done);

    /// Null if there is a checkpoint of that entry already. Then the steps below do nothing.
    [[nodiscard]] Result<std::shared_ptr<SharedCheckpoint>> begin_checkpoint();
    void write_checkpoint(const std::shared_ptr<SharedCheckpoint>& target, Buffer slice, Done done);
    void finish_checkpoint(const std::shared_ptr<SharedCheckpoint>& target, Done done);
    void abandon_checkpoint(const std::shared_ptr<SharedCheckpoint>& target);

    [[nodiscard]] const Standing& standing() const { return standing_; }
    [[nodiscard]] Index committed() const { return heard_.last; }
    [[nodiscard]] Index checkpoint() const { return checkpoint_; }
    [[nodiscard]] Space space() const { return tenure_ ? tenure_->appender.space() : Space::ok; }

private:
    enum class Phase {
        opening,
        standby,
        taking,  ///< A takeover is under way.
        active,
        leaving,  ///< Nothing new is accepted. What was accepted is finished.
        failed,
        detached,
    };
    /// What one look into the directory found.
    struct Look {
        ClaimMachine::Sighting sighting;
        std::optional<ProcessId> owner;
    };
    /// The time in which this member is active.
    struct Tenure {
        Tenure(SharedTenure begun, Disk& disk, const Options& options);

        const EpochRecord record;
        Lifetime life;  ///< Until the tenure is released.
        Appender appender;
        std::unique_ptr<Timer> append_timer;   ///< See Appender::Turn::wake.
        std::shared_ptr<SharedWriter> writer;  ///< Used by the journal worker.
        std::shared_ptr<File> claim;           ///< Used by the stamp worker.
        std::unique_ptr<Timer> stamp_timer;
        std::uint64_t stamp = 0;
        std::vector<Done> confirms;  ///< They wait for the next reading of the epoch.
        bool confirming = false;
        bool trimming = false;
        bool trim_failing = false;  ///< The last trim failed, and that has been logged.
    };

    void later(std::function<void(Core&)> task);
    void run(std::string_view worker, Worker::Job job, std::function<void(Core&)> done,
             Worker::Place place = Worker::Place::worker_thread);
    bool hear(const Entry& entry);
    bool hear(const Buffer& bodies, const std::vector<SharedEntry>& entries);
    void fail(Error error);
    void watch_directory();
    void check_directory();
    void settle();
    /// `tenure`: of the active member; 0: none is active.
    void change_standing(Role role, Epoch epoch, std::string active, std::uint64_t tenure);

    // The standby: shared_journal_standby.cc.
    void follow();
    void hurry();
    void follow_at(TimePoint when);
    void followed(Result<SharedReader::Slice> slice);
    bool restore(const SharedReader::Slice& slice);
    void come_to_rest();
    void judged(const Result<void>& judged);
    void look_round();
    [[nodiscard]] static Result<Look> look_into(Disk& disk, const std::string& directory);
    void look();
    void looked(const Result<Look>& look);
    void watch_owner(const Look& look);
    void make_spare();
    void step(std::function<Result<void>(SharedTakeover&)> step, std::function<void(Core&)> done);
    void finish_takeover();
    void taken(Result<SharedTenure> taken);
    void takeover_failed(Error error);

    // The active: shared_journal_active.cc.
    void serve(SharedTenure begun);
    void vouch_for(const LastBegun& begun);
    void turn();
    void write(const InFlight& one);
    void flushed(const std::shared_ptr<Flush>& flush);
    void make_reserve(std::uint64_t generation);
    void reserve_made(Result<std::unique_ptr<File>> file);
    void arm_stamp();
    void stamped(const Result<void>& result);
    [[nodiscard]] Result<void> check_active() const;
    void run_confirms();
    void end_tenure(const Error& error);
    void release(std::shared_ptr<Tenure> tenure);
    void begin_leaving(Error why);
    void leave();
    void resume_following();

    // Checkpoints: shared_checkpoint.cc.
    [[nodiscard]] Result<void> may_write(const std::shared_ptr<SharedCheckpoint>& target) const;
    void checkpoint_step(const std::shared_ptr<SharedCheckpoint>& target,
                         std::function<Result<void>(SharedCheckpoint&)> step, Done done);
    void checkpoint_named(const std::shared_ptr<SharedCheckpoint>& target);
    void trim();

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    Observer& observer_;
    Phase phase_ = Phase::opening;
    Lifetime life_;  ///< Until the journal is detached.
    SharedOpened opened_;
    std::optional<Error> failed_;
    Standing standing_;
    Heard heard_;
    bool restoring_ = false;  ///< Between the first and the last slice of a checkpoint.
    std::size_t jobs_ = 0;
    bool closing_ = false;
    std::function<void()> closed_;

    std::shared_ptr<DirectoryHold> hold_;  ///< Used by the journal worker.
    /// Empty where the kernel does not report the end of the directory.
    std::vector<std::unique_ptr<DirectoryWatch>> watches_;
    TimePoint checked_;  ///< When the last check began whether the directory is still the same.
    bool checking_ = false;
    bool check_again_ = false;

    std::shared_ptr<SharedReader> reader_;  ///< Used by the journal worker.
    bool following_ = false;
    bool follow_again_ = false;
    bool read_failing_ = false;  ///< The last read failed, and that has been logged.
    std::optional<std::pair<Index, Epoch>> prompt_;
    std::optional<TimePoint> hurried_;  ///< When a prompt last caused a read.
    std::unique_ptr<Timer> poll_timer_;
    TimePoint rest_since_;  ///< When an entry was last heard, or damage was last looked for.
    Duration judge_after_;  ///< After so long at rest, the reader looks for damage.
    ClaimMachine claims_;
    std::unique_ptr<Timer> look_timer_;
    bool looking_ = false;
    bool look_again_ = false;
    Duration look_soon_{};  ///< The time to the next look, if shorter than usual; 0: as usual.
    std::unique_ptr<ProcessWatch> owner_watch_;  ///< Null: the owner's end cannot be noticed here.
    std::uint64_t watched_tenure_ = 0;           ///< The last tenure for which a watch was tried.
    SharedTakeover::Spare spare_;
    bool making_spare_ = false;
    TimePoint spare_retry_;
    std::shared_ptr<SharedTakeover> takeover_;  ///< Used by the journal worker.
    Lifetime taking_;                           ///< Of the takeover under way.
    bool published_ = false;  ///< The takeover has published its epoch.
    Taken taken_;

    std::shared_ptr<Tenure> tenure_;
    TurnEnd turn_end_;  ///< Marked only in a tenure. So all appends of a turn share a flush.
    std::optional<EpochRecord> own_;  ///< Of the last tenure of this member.
    Done left_;                       ///< Of step_down().

    std::uint32_t journal_ = 0;                          ///< Which journal it is; 0: not known.
    Index checkpoint_;                                   ///< The newest that is known.
    std::shared_ptr<SharedCheckpoint> checkpoint_file_;  ///< Being written; null if none is.
};

}  // namespace understudy::journal
