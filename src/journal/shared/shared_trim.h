#pragma once

#include <memory>
#include <string>

#include "journal/shared/shared_epoch.h"
#include "runtime/disk.h"

namespace understudy::journal {

struct Trimmed {
    Index checkpoint;         ///< The newest; 0 if there is none.
    std::size_t removed = 0;  ///< Files.
};

/// Removes what two durable checkpoints make superfluous, epochs that never counted, old claims,
/// and unfinished files of processes that have ended. It removes nothing that is needed of `own`
/// epoch or of a higher one.
///
/// Thread: the checkpoint worker.
/// Errors: those of check_epoch(), and those of the disk (none).
/// Source: docs/formats/shared-journal.md, "Deleting".
[[nodiscard]] Result<Trimmed> trim_shared(Disk& disk, const std::string& directory,
                                          const EpochRecord& own);

/// Takes the lock that a member must hold to write a checkpoint, if `lock` is null. Otherwise
/// checks that the lock is still in force.
/// Errors: limit_exceeded (none) if another member is writing a checkpoint, or if the file at
///         `path` was removed or replaced; disk_failed, no_space (none).
[[nodiscard]] Result<void> lock_checkpoints(Disk& disk, const std::string& path,
                                            std::unique_ptr<File>& lock);

}  // namespace understudy::journal
