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
/// and what the dead have left unfinished. Nothing of `own` epoch that is needed, nothing of a
/// higher.
///
/// Thread: the checkpoint worker.
/// Errors: not_active, disk_failed: the epoch is another's; what the disk says otherwise (none).
/// Source: docs/protocols/fencing.md, "Deleting".
[[nodiscard]] Result<Trimmed> trim_shared(Disk& disk, const std::string& directory,
                                          const EpochRecord& own);

/// Takes the lock without which nobody writes a checkpoint, if `lock` is null.
/// Errors: limit_exceeded (none) if another member is writing one; disk_failed, no_space (none).
[[nodiscard]] Result<void> lock_checkpoints(Disk& disk, const std::string& path,
                                            std::unique_ptr<File>& lock);

}  // namespace understudy::journal
