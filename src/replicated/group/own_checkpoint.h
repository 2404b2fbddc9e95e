#pragma once

#include <functional>
#include <memory>

#include "base/lifetime.h"
#include "replicated/group/checkpointing.h"

namespace understudy::replicated {

/// A checkpoint that the owner of the journal is writing. It may outlive the group.
class Checkpointing::Own final : public journal::CheckpointWriter {
public:
    Own(Checkpointing& checkpointing, consensus::SnapshotRef snapshot);
    Own(const Own&) = delete;
    Own& operator=(const Own&) = delete;
    ~Own() override;

    [[nodiscard]] Index at() const override { return snapshot_.index; }
    void write(Buffer slice, Done done) override;
    void finish(Done done) override;

private:
    /// `done` is not called once this is destroyed, or the group is detached.
    void run(std::function<Result<void>(journal::CheckpointFile&)> job, Done done);

    const std::weak_ptr<const void> group_;
    Checkpointing& checkpointing_;  ///< As long as the group lives.
    const consensus::SnapshotRef snapshot_;
    const std::shared_ptr<journal::CheckpointFile> file_;
    bool busy_ = false;
    bool finished_ = false;  ///< The file is complete, or was abandoned.
    Lifetime life_;
};

}  // namespace understudy::replicated
