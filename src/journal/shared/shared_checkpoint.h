#pragma once

#include "journal/format/checkpoint_writing.h"
#include "journal/shared/shared_journal_core.h"

namespace understudy::journal {

/// A checkpoint of a shared journal that somebody is writing.
class SharedJournal::Checkpointing final : public CheckpointWriting<Core, SharedCheckpoint> {
public:
    using CheckpointWriting::CheckpointWriting;
};

}  // namespace understudy::journal
