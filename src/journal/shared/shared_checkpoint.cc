#include "journal/shared/shared_checkpoint.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "journal/shared/shared_trim.h"

namespace understudy::journal {

Result<std::shared_ptr<SharedCheckpoint>> SharedJournal::Core::begin_checkpoint() {
    std::shared_ptr<SharedCheckpoint> target;
    US_CHECK(may_write(target));
    if (checkpoint_file_ || restoring_) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = checkpoint_file_ ? "a checkpoint is being written"
                                                : "a checkpoint is being restored"};
    }
    if (heard_.last <= checkpoint_) return target;
    const Checkpoint checkpoint{
        .journal = journal_, .at = heard_.last, .epoch = heard_.epoch, .checksum = heard_.content};
    target = std::make_shared<SharedCheckpoint>(runtime_.disk(), options_.directory, checkpoint);
    checkpoint_file_ = target;
    return target;
}

void SharedJournal::Core::write_checkpoint(const std::shared_ptr<SharedCheckpoint>& target,
                                           Buffer slice, Done done) {
    US_ASSERT(slice.size() <= CheckpointWriter::slice_bytes_max);
    checkpoint_step(
        target, [slice = std::move(slice)](SharedCheckpoint& to) { return to.file.write(slice); },
        std::move(done));
}

void SharedJournal::Core::finish_checkpoint(const std::shared_ptr<SharedCheckpoint>& target,
                                            Done done) {
    checkpoint_step(
        target, [](SharedCheckpoint& whole) { return whole.file.finish(); },
        [this, target, done = std::move(done)](const Result<void>& result) {
            if (result && target) checkpoint_named(target);
            done(result);
        });
}

/// Gives up a checkpoint. Does nothing if it is finished or was given up before.
void SharedJournal::Core::abandon_checkpoint(const std::shared_ptr<SharedCheckpoint>& target) {
    if (!target || target != checkpoint_file_) return;
    checkpoint_file_.reset();
    run(
        "checkpoint",
        [target] {
            target->file.abandon();
            target->lock.reset();
        },
        [](Core&) {});
}

Result<void> SharedJournal::Core::may_write(const std::shared_ptr<SharedCheckpoint>& target) const {
    if (failed_) return Error{.code = Errc::disk_failed, .detail = failed_->detail};
    if (closing_ || (target && target != checkpoint_file_)) {
        return Error{.code = Errc::closed, .detail = "the checkpoint was given up"};
    }
    return {};
}

/// Runs `step` on the checkpoint worker, so that no append waits for it; then calls `done`.
///
/// A lock is held, because two members that write the same checkpoint would use the same temporary
/// file.
void SharedJournal::Core::checkpoint_step(const std::shared_ptr<SharedCheckpoint>& target,
                                          std::function<Result<void>(SharedCheckpoint&)> step,
                                          Done done) {
    const auto allowed = may_write(target);
    if (!allowed || !target) {
        return later([allowed, done = std::move(done)](Core&) { done(allowed); });
    }
    auto result = std::make_shared<Result<void>>();
    run(
        "checkpoint",
        [result, target, step = std::move(step), &disk = runtime_.disk(),
         path = path_in(options_.directory, checkpoint_lock_name)] {
            *result = lock_checkpoints(disk, path, target->lock);
            if (*result) *result = step(*target);
        },
        [result, done = std::move(done)](Core& core) {
            // The effect is none, whatever happened to the file: without it nothing is lost.
            Result<void> told = *result;
            if (!told) told = Error{.code = told.error().code, .detail = told.error().detail};
            done(told);
            if (core.phase_ == Phase::detached || *result) return;
            // It is not known which names are durable. So this member stops using the directory.
            if (result->error().effect != Effect::unknown) return;
            core.fail({.code = Errc::disk_failed,
                       .effect = Effect::unknown,
                       .detail = result->error().detail});
        });
}

void SharedJournal::Core::checkpoint_named(const std::shared_ptr<SharedCheckpoint>& target) {
    if (target != checkpoint_file_) return;  // It was given up and will be removed.
    checkpoint_file_.reset();
    checkpoint_ = std::max(checkpoint_, target->at);
    log_.debug("journal.checkpoint",
               {kv("directory", options_.directory), kv("index", target->at.value)});
    run(
        "checkpoint", [target] { target->lock.reset(); }, [](Core&) {});
    if (tenure_) trim();
}

/// Removes what is superfluous if this member is active. What cannot be removed now is tried again.
void SharedJournal::Core::trim() {
    if (!tenure_ || tenure_->trimming) return;
    tenure_->trimming = true;
    auto trimmed = std::make_shared<std::optional<Result<Trimmed>>>();
    run(
        "checkpoint",
        [trimmed, record = tenure_->record, &disk = runtime_.disk(),
         directory = options_.directory] {
            trimmed->emplace(trim_shared(disk, directory, record));
        },
        tenure_->life.guarded([trimmed](Core& core) {
            core.tenure_->trimming = false;
            if (!**trimmed) {
                if (std::exchange(core.tenure_->trim_failing, true)) return;
                core.log_.warn("journal.trim.failed", {kv("directory", core.options_.directory),
                                                       kv("error", (**trimmed).error())});
                return;
            }
            core.tenure_->trim_failing = false;
            core.checkpoint_ = std::max(core.checkpoint_, (**trimmed)->checkpoint);
        }));
}

}  // namespace understudy::journal
