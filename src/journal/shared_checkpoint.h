#pragma once

#include <memory>

#include "journal/shared_journal_core.h"

namespace understudy::journal {

/// A checkpoint of a shared journal that somebody is writing.
class SharedJournal::Checkpointing final : public CheckpointWriter {
public:
    /// `target` is null if there is a checkpoint of that entry already.
    Checkpointing(std::weak_ptr<Core> core, Index at, std::shared_ptr<SharedCheckpoint> target);
    Checkpointing(const Checkpointing&) = delete;
    Checkpointing& operator=(const Checkpointing&) = delete;
    ~Checkpointing() override;

    [[nodiscard]] Index at() const override { return at_; }
    void write(Buffer slice, Done done) override;
    void finish(Done done) override;

private:
    [[nodiscard]] Done under_way(Done done);

    const std::weak_ptr<Core> core_;
    const Index at_;
    const std::shared_ptr<SharedCheckpoint> target_;
    const std::shared_ptr<bool> busy_ = std::make_shared<bool>(false);
};

}  // namespace understudy::journal
