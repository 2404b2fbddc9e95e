#pragma once

#include <functional>
#include <memory>
#include <string>

#include "journal/checkpoint.h"
#include "runtime/disk.h"

namespace understudy::journal {

/// Files that are there whole after a crash, or not at all: segments not yet begun, checkpoints.
///
/// Each is made under a temporary name, filled, synced, given its own name, and the directory
/// synced. Until the last step an error means that nothing happened: what was made is removed, and
/// the next attempt makes another file. A failed sync of the directory is another matter: nobody
/// knows which names are durable, and so nobody may go on in it (effect: unknown).
///
/// Thread: a worker.

/// Makes `directory`/`name`, replacing a file of that name.
/// Errors: no_space, disk_failed (none); disk_failed, no_space (unknown: the directory).
[[nodiscard]] Result<std::unique_ptr<File>> make_whole_file(
    Disk& disk, const std::string& directory, const std::string& name,
    const std::function<Result<void>(File&)>& fill);

/// Makes a segment of zeros. They are written, not merely allocated: a flush into written blocks
/// takes half the time, and it cannot find the disk full.
[[nodiscard]] Result<std::unique_ptr<File>> make_segment(Disk& disk, const std::string& directory,
                                                         std::uint64_t generation,
                                                         std::uint64_t size_bytes);

/// Writes zeros to [from, to). Not synced.
[[nodiscard]] Result<void> write_zeros(File& file, std::uint64_t from, std::uint64_t to);

[[nodiscard]] Result<void> write_checkpoint(Disk& disk, const std::string& directory,
                                            const Checkpoint& checkpoint, Bytes state);

/// Errors: corrupt (none) if the file is not what was written; bad_config, disk_failed (none).
[[nodiscard]] Result<LoadedCheckpoint> read_checkpoint(Disk& disk, const std::string& directory,
                                                       Index at);

}  // namespace understudy::journal
