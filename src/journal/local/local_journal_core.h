#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "journal/appender.h"
#include "journal/format/checkpoint_file.h"
#include "journal/local/local_journal.h"
#include "journal/local/recovery.h"

namespace understudy::journal {

/// A local journal in service: carries out what Appender decides, on three workers.
///
/// `journal` writes and syncs batches, one at a time; at most two are with it, so that the disk has
/// work while the loop hears of the first. `reserve` makes the next segment, `checkpoint` writes
/// checkpoints and removes what they make superfluous. A job owns what it touches and comes back to
/// the loop with its result; if the journal is gone by then, nobody hears of it.
///
/// Segments that were made since the opening and are superfluous become reserves, at most
/// retired_max() of them at a time: a name is changed where else two writes of all its blocks would
/// be needed, zeros and entries. Those of earlier openings are removed.
class LocalJournal::Core final : public std::enable_shared_from_this<Core> {
public:
    Core(Runtime& runtime, Log& log, Options options, Observer& observer, Recovered recovered);

    /// To be called once, when it is owned: tells the observer of the tenure's first entry.
    void start();
    /// The journal is destroyed: nobody is called from now on.
    void detach();

    void append(std::vector<Draft> drafts, Urgency urgency, Appended done);
    [[nodiscard]] Result<void> admit(std::uint64_t bytes, Urgency urgency);
    void append_admitted(std::vector<Draft> drafts, Appended done);
    [[nodiscard]] Error no_space() const { return appender_.no_space(); }
    void keep_from(std::uint64_t generation);
    [[nodiscard]] std::vector<std::uint64_t> segments() const;
    void look_if_due();
    void confirm(Done done);
    void close(std::function<void()> done);

    /// Begins a checkpoint of what is committed. Null if there is one already: then the steps below
    /// succeed and do nothing. Errors: as Journal::begin_checkpoint().
    [[nodiscard]] Result<std::shared_ptr<CheckpointFile>> begin_checkpoint();
    void write_checkpoint(const std::shared_ptr<CheckpointFile>& file, Buffer slice, Done done);
    void finish_checkpoint(const std::shared_ptr<CheckpointFile>& file, Done done);
    /// Nobody wants it any more; nothing if it is finished, or given up already.
    void abandon_checkpoint(std::shared_ptr<CheckpointFile> file);

    [[nodiscard]] const Standing& standing() const { return standing_; }
    [[nodiscard]] Index committed() const { return committed_.last; }
    [[nodiscard]] Index checkpoint() const;
    [[nodiscard]] Space space() const { return appender_.space(); }

private:
    enum class State {
        serving,
        closing,    ///< Takes nothing new; what was accepted goes on.
        releasing,  ///< All is done but giving the files back.
        detached,
    };
    struct MadeReserve {
        std::optional<Result<std::unique_ptr<File>>> file;
        bool reused = false;
        std::optional<std::uint64_t> useless;  ///< Generation of a segment that was not to be had.
    };

    /// Runs `task` on the loop unless the journal is destroyed before.
    void later(std::function<void(Core&)> task);
    /// Runs `job` on `worker`, then `done` on the loop unless the journal is destroyed before. The
    /// directory stays locked until the job has ended, come what may.
    void run(std::string_view worker, Worker::Job job, std::function<void(Core&)> done,
             Worker::Place place = Worker::Place::worker_thread);

    [[nodiscard]] Result<void> serving() const;
    void refuse_later(Appended done, const Error& error);
    void turn();
    void write(const InFlight& one);
    void flushed(const std::shared_ptr<Flush>& flush);
    void poison(Error error);

    void look();
    void make_reserve(std::uint64_t generation);
    void reserve_made(MadeReserve made);
    [[nodiscard]] Result<void> may_write(const std::shared_ptr<CheckpointFile>& file) const;
    void checkpoint_step(const std::shared_ptr<CheckpointFile>& file,
                         std::function<Result<void>(CheckpointFile&)> step,
                         std::function<void(Core&, const Result<void>&)> then, Done done);
    void checkpoint_named(const std::shared_ptr<CheckpointFile>& file, const Result<void>& named);
    void trim();
    void retire(SegmentPlace segment, std::vector<std::string>& superfluous);
    void give_back_retired();
    void remove(std::vector<std::string> superfluous);

    void settle();
    void release_files(std::function<void(Core&)> done);

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    Observer& observer_;
    Appender appender_;
    State state_ = State::serving;
    Lifetime life_;  ///< Until it is detached.
    std::optional<Error> poisoned_;
    Standing standing_;

    std::shared_ptr<DirectoryHold> hold_;    ///< The journal worker's; each job has a share.
    std::vector<std::unique_ptr<DirectoryWatch>> watches_;  ///< Where the kernel tells of its end.
    TimePoint looked_;                       ///< When it was last looked for that.
    bool looking_ = false;
    bool look_again_ = false;
    std::shared_ptr<SegmentWriter> writer_;  ///< The journal worker's.
    TurnEnd turn_end_;                       ///< So that all appends of a turn share a flush.
    std::unique_ptr<Timer> append_timer_;    ///< See Appender::Turn::wake.
    Chain committed_;
    bool reserve_is_ours_ = false;  ///< Made since the journal was opened.

    std::vector<SegmentPlace> segments_;  ///< Oldest first; the last is the one appended to.
    std::deque<std::uint64_t> retired_;   ///< Generations before those, to be used again.
    std::uint64_t keep_from_ = 0;         ///< Generation; see Options::keeps_segments.
    std::vector<Index> checkpoints_;      ///< Durable, at most two, oldest first.
    std::vector<std::string> leftovers_;  ///< To be removed with the next checkpoint.
    std::shared_ptr<CheckpointFile> checkpoint_file_;  ///< Being written; null if none is.
    Index checkpoint_at_;                              ///< Which that is.

    std::size_t jobs_ = 0;  ///< On the workers, apart from flushes.
    std::function<void()> closed_;
};

}  // namespace understudy::journal
