#include "replicated/group/own_checkpoint.h"

#include <utility>

namespace understudy::replicated {

Checkpointing::Own::Own(Checkpointing& checkpointing, consensus::SnapshotRef snapshot)
    : group_(checkpointing.owner_.keep()),
      checkpointing_(checkpointing),
      snapshot_(std::move(snapshot)),
      file_(std::make_shared<journal::CheckpointFile>(
          checkpointing.context_.runtime.disk(), checkpointing.context_.directory,
          journal::Checkpoint{
              .journal = static_cast<std::uint32_t>(checkpointing.context_.id.value),
              .at = snapshot_.index,
              .epoch = snapshot_.term,
              .checksum = 0})) {}

Checkpointing::Own::~Own() {
    const auto group = group_.lock();
    if (!group || finished_) return;
    checkpointing_.own_ = false;
    checkpointing_.context_.runtime.worker(checkpoint_worker)
        .submit([file = file_] { file->abandon(); }, [] {});
}

void Checkpointing::Own::write(Buffer slice, Done done) {
    US_ASSERT(!busy_);
    US_ASSERT(slice.size() <= slice_bytes_max);
    const auto kept = std::make_shared<const Buffer>(std::move(slice));
    run([kept](journal::CheckpointFile& file) { return file.write(*kept); }, std::move(done));
}

void Checkpointing::Own::finish(Done done) {
    US_ASSERT(!busy_);
    run([](journal::CheckpointFile& file) { return file.finish(); },
        [this, done = std::move(done)](Result<void> result) {
            finished_ = true;
            if (!result) {
                checkpointing_.own_ = false;
                return done(std::move(result));
            }
            checkpointing_.written(snapshot_, life_.guarded(done));
        });
}

void Checkpointing::Own::run(std::function<Result<void>(journal::CheckpointFile&)> job, Done done) {
    const auto group = group_.lock();
    if (!group || checkpointing_.owner_.detached()) return;
    if (checkpointing_.owner_.ended()) {
        return checkpointing_.schedule_.later(life_.guarded([done = std::move(done)] {
            done(Error{.code = Errc::closed, .detail = "the journal is closed"});
        }));
    }
    busy_ = true;
    const auto result = std::make_shared<Result<void>>();
    checkpointing_.context_.runtime.worker(checkpoint_worker)
        .submit([file = file_, job = std::move(job), result] { *result = job(*file); },
                life_.guarded([this, result, done = std::move(done)] {
                    const auto still = group_.lock();
                    if (!still || checkpointing_.owner_.detached()) return;
                    busy_ = false;
                    done(std::move(*result));
                }));
}

}  // namespace understudy::replicated
