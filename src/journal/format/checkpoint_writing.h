#pragma once

#include <memory>
#include <utility>

#include "base/lifetime.h"
#include "journal/journal.h"

namespace understudy::journal {

/// A checkpoint that is being written. The journal's Core does the work on `File`. A callback is
/// called only if this object still exists. The destructor abandons the checkpoint if it is not
/// finished.
///
/// Thread: loop only; may outlive the journal.
template <class Core, class File>
class CheckpointWriting : public CheckpointWriter {
public:
    /// `file` is null if a checkpoint of that entry exists already.
    CheckpointWriting(std::weak_ptr<Core> core, Index at, std::shared_ptr<File> file)
        : core_(std::move(core)), at_(at), file_(std::move(file)) {}
    ~CheckpointWriting() override {
        if (const auto core = core_.lock()) core->abandon_checkpoint(file_);
    }
    CheckpointWriting(const CheckpointWriting&) = delete;
    CheckpointWriting& operator=(const CheckpointWriting&) = delete;

    [[nodiscard]] Index at() const override { return at_; }
    void write(Buffer slice, Done done) override {
        const auto core = core_.lock();
        if (core) core->write_checkpoint(file_, std::move(slice), under_way(std::move(done)));
    }
    void finish(Done done) override {
        const auto core = core_.lock();
        if (core) core->finish_checkpoint(file_, under_way(std::move(done)));
    }

private:
    /// Returns a callback that calls `done`, unless this object is destroyed before.
    [[nodiscard]] Done under_way(Done done) {
        US_ASSERT(!busy_);
        busy_ = true;
        return life_.guarded([this, done = std::move(done)](const Result<void>& result) {
            busy_ = false;
            done(result);
        });
    }

    const std::weak_ptr<Core> core_;
    const Index at_;
    const std::shared_ptr<File> file_;
    bool busy_ = false;
    Lifetime life_;
};

}  // namespace understudy::journal
