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
/// `journal` writes and syncs batches, one at a time. At most two batches are with it, so that the
/// disk has work while the loop handles the result of the first. `reserve` makes the next segment.
/// `checkpoint` writes checkpoints and removes what they make superfluous. A job owns what it uses
/// and returns its result to the loop. If the journal has been destroyed by then, the result is
/// discarded.
///
/// Superfluous segments that were made since the opening become reserves. At most retired_max() of
/// them are kept at a time. Such a reserve only needs another name; each block of a new one is
/// written twice, first with zeros and then with entries. Segments of earlier openings are removed.
class LocalJournal::Core final : public std::enable_shared_from_this<Core> {
public:
    Core(Runtime& runtime, Log& log, Options options, Observer& observer, Recovered recovered);

    /// Called once, when the object is owned. Begins to watch the directory, and makes the first
    /// turn.
    void start();
    /// The journal is destroyed. No callback is called from now on.
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

    /// Begins a checkpoint of what is committed. Null if there is one already. Then the steps below
    /// succeed and do nothing. Errors: as Journal::begin_checkpoint().
    [[nodiscard]] Result<std::shared_ptr<CheckpointFile>> begin_checkpoint();
    void write_checkpoint(const std::shared_ptr<CheckpointFile>& file, Buffer slice, Done done);
    void finish_checkpoint(const std::shared_ptr<CheckpointFile>& file, Done done);
    /// Gives up a checkpoint. Does nothing if it is finished or was given up before.
    void abandon_checkpoint(std::shared_ptr<CheckpointFile> file);

    [[nodiscard]] const Standing& standing() const { return standing_; }
    [[nodiscard]] Index committed() const { return committed_.last; }
    [[nodiscard]] Index checkpoint() const;
    [[nodiscard]] Space space() const { return appender_.space(); }

private:
    enum class State {
        serving,
        closing,    ///< Nothing new is accepted. What was accepted is finished.
        releasing,  ///< Only the files remain to be closed.
        detached,
    };
    struct MadeReserve {
        std::optional<Result<std::unique_ptr<File>>> file;
        bool reused = false;
        /// The generation of a retired segment that could not be used again.
        std::optional<std::uint64_t> useless;
    };

    /// Runs `task` on the loop unless the journal is destroyed before.
    void later(std::function<void(Core&)> task);
    /// Runs `job` on `worker`, then `done` on the loop unless the journal is destroyed before. The
    /// directory stays locked until the job has ended, in every case.
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
    Lifetime life_;  ///< Until the journal is detached.
    std::optional<Error> poisoned_;
    Standing standing_;

    /// Used by the journal worker. Each job holds a reference to it.
    std::shared_ptr<DirectoryHold> hold_;
    /// Empty where the kernel does not report the end of the directory.
    std::vector<std::unique_ptr<DirectoryWatch>> watches_;
    TimePoint looked_;  ///< When the last check began whether the directory is still the same.
    bool looking_ = false;
    bool look_again_ = false;
    std::shared_ptr<SegmentWriter> writer_;  ///< Used by the journal worker.
    TurnEnd turn_end_;                       ///< It lets all appends of a turn share a flush.
    std::unique_ptr<Timer> append_timer_;    ///< See Appender::Turn::wake.
    Chain committed_;
    bool reserve_is_ours_ = false;  ///< The reserve was made since the journal was opened.

    std::vector<SegmentPlace> segments_;  ///< Oldest first; the last is the one appended to.
    std::deque<std::uint64_t> retired_;   ///< Generations of retired segments, oldest first.
    std::uint64_t keep_from_ = 0;         ///< A generation; see Options::keeps_segments.
    std::vector<Index> checkpoints_;      ///< The durable ones, at most two, oldest first.
    std::vector<std::string> leftovers_;  ///< To be removed with the next checkpoint.
    std::shared_ptr<CheckpointFile> checkpoint_file_;  ///< Being written; null if none is.
    Index checkpoint_at_;                              ///< The index of checkpoint_file_.

    std::size_t jobs_ = 0;  ///< Jobs on the workers, apart from flushes.
    std::function<void()> closed_;
};

}  // namespace understudy::journal
