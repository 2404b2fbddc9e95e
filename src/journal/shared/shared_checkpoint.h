#pragma once

#include "journal/format/checkpoint_writing.h"
#include "journal/shared/shared_journal_core.h"

namespace understudy::journal {

/// A checkpoint of a shared journal that is being written.
class SharedJournal::Checkpointing final : public CheckpointWriting<Core, SharedCheckpoint> {
public:
    using CheckpointWriting::CheckpointWriting;
};

}  // namespace understudy::journal
