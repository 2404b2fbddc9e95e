#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/disk.h"
#include "understudy/types.h"

namespace understudy::journal {

/// Files that exist completely after a crash, or not at all: segments that are not begun yet, and
/// checkpoints.
///
/// Each file is made under a temporary name, filled, synced and renamed, and then the directory is
/// synced. Until the last step an error means that nothing happened: the file is removed, and the
/// next attempt makes another one. If the sync of the directory fails, it is unknown which names
/// are durable, and the directory must not be used any more (effect: unknown). A shortage before
/// that sync is different: the complete file stays under its name and does not count.
///
/// Thread: a worker.

/// The first half: makes an empty file under the temporary name of `directory`/`name`.
/// Errors: no_space, disk_failed (none).
[[nodiscard]] Result<std::unique_ptr<File>> begin_whole_file(Disk& disk,
                                                             const std::string& directory,
                                                             const std::string& name);

/// The second half: makes the content durable and gives the file its name. A file of that name is
/// replaced. Errors: no_space, disk_failed (none); a shortage (none: the name may stay);
/// disk_failed, no_space (unknown: the directory).
[[nodiscard]] Result<void> name_whole_file(Disk& disk, const std::string& directory,
                                           const std::string& name, File& file);

/// Instead of the second half: removes the temporary file. If that fails, the next attempt or the
/// next opening removes it.
void give_up_whole_file(Disk& disk, const std::string& directory, const std::string& name);

/// Both halves. Errors: of both.
[[nodiscard]] Result<std::unique_ptr<File>> make_whole_file(
    Disk& disk, const std::string& directory, const std::string& name,
    const std::function<Result<void>(File&)>& fill);

/// Makes a segment: the header of a reserve, then zeros. The zeros are written, not only allocated:
/// a flush into written blocks takes half the time, and cannot fail because the disk is full.
///
/// `durable`: entries up to this one are durable now.
[[nodiscard]] Result<std::unique_ptr<File>> make_segment(Disk& disk, const std::string& directory,
                                                         std::uint64_t generation,
                                                         std::uint64_t size_bytes, Index durable);
/// The same in a new file, for a caller that gives it another name. Not synced.
[[nodiscard]] Result<void> fill_segment(File& file, std::uint64_t generation,
                                        std::uint64_t size_bytes, Index durable);

/// The reason why no segment could be made. If the disk is full, it says how many bytes are wanted
/// and how many are free.
[[nodiscard]] Error explain_no_room(Disk& disk, const std::string& directory,
                                    std::uint64_t size_bytes, Error error);

/// Makes a new segment of a retired one: it gets another name, and the header of a reserve. The
/// rest of its content does not count, because checksums are seeded with the new generation.
///
/// `durable`: as in make_segment().
/// Requires: every checkpoint that makes the old segment superfluous is durable, and no process
///           writes to it, now or later, not even one that was taken for dead.
/// Errors: no_such_file, bad_config (none: it has another size), disk_failed (none: make one of
///         zeros instead; the old name may be there or not); disk_failed (unknown: the directory).
[[nodiscard]] Result<std::unique_ptr<File>> reuse_segment(Disk& disk, const std::string& directory,
                                                          std::uint64_t old_generation,
                                                          std::uint64_t generation,
                                                          std::uint64_t size_bytes, Index durable);

/// Writes zeros to [from, to). Not synced.
[[nodiscard]] Result<void> write_zeros(File& file, std::uint64_t from, std::uint64_t to);

}  // namespace understudy::journal
