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

/// A checkpoint being written; one at a time in the directory, whoever writes it.
struct SharedCheckpoint {
    SharedCheckpoint(Disk& disk, std::string directory, const Checkpoint& checkpoint)
        : at(checkpoint.at), file(disk, std::move(directory), checkpoint) {}

    const Index at;
    std::unique_ptr<File> lock;  ///< The checkpoint worker's, as the file is.
    CheckpointFile file;
};

/// A shared journal in service, as a standby or as the active.
///
/// Four workers: `journal` reads, takes over, and writes and syncs batches, one job at a time;
/// `reserve` makes segments; `checkpoint` writes checkpoints and removes what is superfluous;
/// `stamp` does what is short: progress stamps, looks, the reading of the epoch for confirm(). A
/// job owns what it touches and comes back to the loop with its result; if the journal is gone by
/// then, or the tenure that it was for, nobody hears of it.
class SharedJournal::Core final : public std::enable_shared_from_this<Core> {
public:
    Core(Runtime& runtime, Log& log, Options options, Observer& observer);

    void begin(SharedOpened opened);
    /// Instead of begin(): says why not, later.
    void refuse_opening(Error error, SharedOpened opened);
    /// The opening is destroyed; nothing if it has ended.
    void give_up();
    /// The journal is destroyed: nobody is called from now on.
    void detach();
    [[nodiscard]] bool detached() const { return phase_ == Phase::detached; }

    void prompt(Index committed, Epoch epoch);
    void suspect();
    void take_over(Epoch at_least, Taken done);
    void step_down(Done done);
    void append(std::vector<Draft> drafts, Urgency urgency, Appended done);
    void confirm(Done done);
    void close(std::function<void()> done);

    /// Null if there is a checkpoint of that entry already: then the steps below do nothing.
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
        leaving,  ///< Takes nothing new; what was accepted goes on.
        failed,
        detached,
    };
    /// What one look into the directory found.
    struct Look {
        ClaimMachine::Sighting sighting;
        std::optional<ProcessId> owner;
    };
    /// The time as the active.
    struct Tenure {
        Tenure(SharedTenure begun, Disk& disk, const Options& options);

        const EpochRecord record;
        Lifetime life;  ///< Until it is released.
        Appender appender;
        std::unique_ptr<Timer> append_timer;   ///< See Appender::Turn::wake.
        std::shared_ptr<SharedWriter> writer;  ///< The journal worker's.
        std::shared_ptr<File> claim;           ///< The stamp worker's.
        std::unique_ptr<Timer> stamp_timer;
        std::uint64_t stamp = 0;
        std::vector<Done> confirms;  ///< Waiting for the next reading of the epoch.
        bool confirming = false;
        bool trimming = false;
        bool trim_failing = false;  ///< Has been logged.
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
    /// `tenure`: of who is active; 0: nobody is.
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
    Lifetime life_;  ///< Until it is detached.
    SharedOpened opened_;
    std::optional<Error> failed_;
    Standing standing_;
    Heard heard_;
    bool restoring_ = false;  ///< Between the first and the last slice of a checkpoint.
    std::size_t jobs_ = 0;
    bool closing_ = false;
    std::function<void()> closed_;

    std::shared_ptr<DirectoryHold> hold_;  ///< The journal worker's.
    std::vector<std::unique_ptr<DirectoryWatch>> watches_;  ///< Where the kernel tells of its end.
    TimePoint checked_;  ///< When it was last looked whether the directory is still the same.
    bool checking_ = false;
    bool check_again_ = false;

    std::shared_ptr<SharedReader> reader_;  ///< The journal worker's.
    bool following_ = false;
    bool follow_again_ = false;
    bool read_failing_ = false;  ///< Has been logged.
    std::optional<std::pair<Index, Epoch>> prompt_;
    std::optional<TimePoint> hurried_;  ///< When a prompt last made us read.
    std::unique_ptr<Timer> poll_timer_;
    TimePoint rest_since_;  ///< When something was last heard.
    Duration judge_after_;  ///< Rest, after which one looks whether it is damage.
    ClaimMachine claims_;
    std::unique_ptr<Timer> look_timer_;
    bool looking_ = false;
    bool look_again_ = false;
    Duration look_soon_{};  ///< How soon the next look comes, if sooner than usual; 0: as usual.
    std::unique_ptr<ProcessWatch> owner_watch_;  ///< Null: its end cannot be noticed from here.
    std::uint64_t watched_tenure_ = 0;           ///< Whose owner has been looked at for that.
    SharedTakeover::Spare spare_;
    bool making_spare_ = false;
    TimePoint spare_retry_;
    std::shared_ptr<SharedTakeover> takeover_;  ///< The journal worker's.
    Lifetime taking_;                           ///< Of the takeover under way.
    bool published_ = false;                    ///< Its epoch; what is committed is being heard.
    Taken taken_;

    std::shared_ptr<Tenure> tenure_;
    TurnEnd turn_end_;  ///< Marked only in a tenure: all appends of a turn share a flush.
    std::optional<EpochRecord> own_;  ///< Of the last tenure here.
    Done left_;                       ///< Of step_down().

    std::uint32_t journal_ = 0;                          ///< Which one; 0: nothing is known of it.
    Index checkpoint_;                                   ///< The newest that is known of.
    std::shared_ptr<SharedCheckpoint> checkpoint_file_;  ///< Being written; null if none is.
};

}  // namespace understudy::journal
