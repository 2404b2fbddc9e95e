#pragma once

#include "journal/format/checkpoint_writing.h"
#include "journal/local/local_journal_core.h"

namespace understudy::journal {

/// A checkpoint of a local journal that is being written.
class LocalJournal::Checkpointing final : public CheckpointWriting<Core, CheckpointFile> {
public:
    using CheckpointWriting::CheckpointWriting;
};

}  // namespace understudy::journal
