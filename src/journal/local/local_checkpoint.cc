#include "journal/local/local_checkpoint.h"

#include <utility>

namespace understudy::journal {

Result<std::shared_ptr<CheckpointFile>> LocalJournal::Core::begin_checkpoint() {
    std::shared_ptr<CheckpointFile> file;
    US_CHECK(may_write(file));
    if (checkpoint_file_) {
        return Error{.code = Errc::limit_exceeded, .detail = "a checkpoint is being written"};
    }
    if (committed_.last == checkpoint()) return file;
    const Checkpoint checkpoint{.journal = journal_id(appender_.tail().generation),
                                .at = committed_.last,
                                .epoch = committed_.epoch,
                                .checksum = committed_.checksum};
    file = std::make_shared<CheckpointFile>(runtime_.disk(), options_.directory, checkpoint);
    checkpoint_file_ = file;
    checkpoint_at_ = checkpoint.at;
    return file;
}

void LocalJournal::Core::write_checkpoint(const std::shared_ptr<CheckpointFile>& file, Buffer slice,
                                          Done done) {
    US_ASSERT(slice.size() <= CheckpointWriter::slice_bytes_max);
    const auto allowed = may_write(file);
    if (!allowed || !file) {
        return later([allowed, done = std::move(done)](Core&) { done(allowed); });
    }
    checkpoint_step(
        file, [slice = std::move(slice)](CheckpointFile& to) { return to.write(slice); },
        [](Core&, const Result<void>&) {}, std::move(done));
}

void LocalJournal::Core::finish_checkpoint(const std::shared_ptr<CheckpointFile>& file, Done done) {
    const auto allowed = may_write(file);
    if (!allowed || !file) {
        return later([allowed, done = std::move(done)](Core&) { done(allowed); });
    }
    checkpoint_step(
        file, [](CheckpointFile& whole) { return whole.finish(); },
        [file](Core& core, const Result<void>& named) { core.checkpoint_named(file, named); },
        std::move(done));
}

void LocalJournal::Core::abandon_checkpoint(std::shared_ptr<CheckpointFile> file) {
    if (!file || file != checkpoint_file_) return;
    checkpoint_file_.reset();
    checkpoint_step(
        file,
        [](CheckpointFile& unwanted) -> Result<void> {
            unwanted.abandon();
            return {};
        },
        [](Core&, const Result<void>&) {}, [](const Result<void>&) {});
}

Result<void> LocalJournal::Core::may_write(const std::shared_ptr<CheckpointFile>& file) const {
    if (poisoned_) return Error{.code = Errc::disk_failed, .detail = poisoned_->detail};
    if (state_ != State::serving || (file && file != checkpoint_file_)) {
        return Error{.code = Errc::closed, .detail = "the journal is being closed"};
    }
    return {};
}

/// Runs `step` on the checkpoint worker, so that no append waits for it. Then calls `then` and
/// `done`.
void LocalJournal::Core::checkpoint_step(const std::shared_ptr<CheckpointFile>& file,
                                         std::function<Result<void>(CheckpointFile&)> step,
                                         std::function<void(Core&, const Result<void>&)> then,
                                         Done done) {
    ++jobs_;
    auto result = std::make_shared<Result<void>>();
    run(
        "checkpoint", [result, file, step = std::move(step)] { *result = step(*file); },
        [result, then = std::move(then), done = std::move(done)](Core& core) {
            --core.jobs_;
            then(core, *result);
            // The effect is none, whatever happened to the file: without it nothing is lost.
            Result<void> told = *result;
            if (!told) told = Error{.code = told.error().code, .detail = told.error().detail};
            done(told);
            if (core.state_ == State::detached) return;
            const bool names_in_doubt = !*result && result->error().effect == Effect::unknown;
            if (names_in_doubt) return core.poison(result->error());
            if (!*result && result->error().code == Errc::no_space) core.give_back_retired();
            core.settle();
        });
}

void LocalJournal::Core::checkpoint_named(const std::shared_ptr<CheckpointFile>& file,
                                          const Result<void>& named) {
    if (file != checkpoint_file_) return;  // It was given up and will be removed.
    checkpoint_file_.reset();
    if (!named) return;
    checkpoints_.push_back(checkpoint_at_);
    log_.debug("journal.checkpoint",
               {kv("directory", options_.directory), kv("index", checkpoint_at_.value)});
    trim();
}

/// Removes what two durable checkpoints make superfluous, oldest first. What cannot be removed now
/// is tried again next time. If a crash undoes a removal, Recovery recognizes the file.
void LocalJournal::Core::trim() {
    std::vector<std::string> superfluous = std::exchange(leftovers_, {});
    std::erase(superfluous, path_in(options_.directory, checkpoint_name(checkpoints_.back())));
    while (checkpoints_.size() > 2) {
        superfluous.push_back(path_in(options_.directory, checkpoint_name(checkpoints_.front())));
        checkpoints_.erase(checkpoints_.begin());
    }
    if (checkpoints_.size() == 2) {
        const Index needed = checkpoints_.front().next();
        while (segments_.size() > 1 && segments_[1].first <= needed &&
               (!options_.keeps_segments || segments_.front().generation < keep_from_)) {
            retire(segments_.front(), superfluous);
            segments_.erase(segments_.begin());
        }
    }
    remove(std::move(superfluous));
}

/// Retires a segment that is no longer needed: it is kept to become a reserve, or it is removed.
void LocalJournal::Core::retire(SegmentPlace segment, std::vector<std::string>& superfluous) {
    std::uint64_t unwanted = segment.generation;
    if (segment.ours) {
        retired_.push_back(segment.generation);
        if (retired_.size() <= retired_max(options_.segment_size_bytes)) return;
        unwanted = retired_.front();  // The oldest, so that the others have no gap.
        retired_.pop_front();
    }
    superfluous.push_back(path_in(options_.directory, segment_name(unwanted)));
}

/// Removes the retired segments, because the disk is full and their space is needed.
void LocalJournal::Core::give_back_retired() {
    std::vector<std::string> superfluous;
    for (const std::uint64_t generation : std::exchange(retired_, {})) {
        superfluous.push_back(path_in(options_.directory, segment_name(generation)));
    }
    remove(std::move(superfluous));
}

void LocalJournal::Core::remove(std::vector<std::string> superfluous) {
    if (superfluous.empty()) return;
    ++jobs_;
    auto kept = std::make_shared<std::vector<std::string>>();
    run(
        "checkpoint",
        [kept, &disk = runtime_.disk(), superfluous = std::move(superfluous)] {
            for (const std::string& path : superfluous) {
                const auto removed = disk.remove(path);
                if (!removed && removed.error().code != Errc::no_such_file) kept->push_back(path);
            }
        },
        [kept](Core& core) {
            --core.jobs_;
            if (!kept->empty()) {
                core.log_.warn("journal.trim.failed", {kv("file", kept->front())});
            }
            core.leftovers_.insert(core.leftovers_.end(), kept->begin(), kept->end());
            core.settle();
        });
}

}  // namespace understudy::journal
