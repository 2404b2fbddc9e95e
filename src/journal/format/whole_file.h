#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/disk.h"
#include "understudy/types.h"

namespace understudy::journal {

/// Files that are there whole after a crash, or not at all: segments not yet begun, checkpoints.
///
/// Each is made under a temporary name, filled, synced, given its own name, and the directory
/// synced. Until the last step an error means that nothing happened: what was made is removed, and
/// the next attempt makes another file. A failed sync of the directory is another matter: nobody
/// knows which names are durable, and so nobody may go on in it (effect: unknown). A shortage
/// before that sync is none of this: the file stays under its name, whole, and does not count.
///
/// Thread: a worker.

/// The first half: an empty file under the temporary name of `directory`/`name`.
/// Errors: no_space, disk_failed (none).
[[nodiscard]] Result<std::unique_ptr<File>> begin_whole_file(Disk& disk,
                                                             const std::string& directory,
                                                             const std::string& name);

/// The second half: makes what was filled in durable and gives it its name, replacing a file of
/// that name. Errors: no_space, disk_failed (none); a shortage (none: the name may stay);
/// disk_failed, no_space (unknown: the directory).
[[nodiscard]] Result<void> name_whole_file(Disk& disk, const std::string& directory,
                                           const std::string& name, File& file);

/// Instead of the second half: gives the space back. If that fails, the next attempt or the next
/// opening does it.
void give_up_whole_file(Disk& disk, const std::string& directory, const std::string& name);

/// Both halves. Errors: of both.
[[nodiscard]] Result<std::unique_ptr<File>> make_whole_file(
    Disk& disk, const std::string& directory, const std::string& name,
    const std::function<Result<void>(File&)>& fill);

/// Makes a segment of zeros, behind the header of a reserve. They are written, not merely
/// allocated: a flush into written blocks takes half the time, and it cannot find the disk full.
///
/// `durable`: entries up to that are, now.
[[nodiscard]] Result<std::unique_ptr<File>> make_segment(Disk& disk, const std::string& directory,
                                                         std::uint64_t generation,
                                                         std::uint64_t size_bytes, Index durable);
/// The same into a new file, for whoever gives it another name. Not synced.
[[nodiscard]] Result<void> fill_segment(File& file, std::uint64_t generation,
                                        std::uint64_t size_bytes, Index durable);

/// Why no segment could be made: where the disk is full, with what one wants and what is free.
[[nodiscard]] Error explain_no_room(Disk& disk, const std::string& directory,
                                    std::uint64_t size_bytes, Error error);

/// Makes a segment of one that is needed no more: it gets another name, and the header of a
/// reserve. What else stands in it counts for nothing under the new generation, with which
/// checksums are seeded.
///
/// `durable`: as in make_segment().
/// Requires: every checkpoint that makes the old one superfluous is durable, and nobody writes to
///           it, now or later: not even a process that was taken for dead.
/// Errors: no_such_file, bad_config (none: it has another size), disk_failed (none: make one of
///         zeros instead; the old name may be there or not); disk_failed (unknown: the directory).
[[nodiscard]] Result<std::unique_ptr<File>> reuse_segment(Disk& disk, const std::string& directory,
                                                          std::uint64_t old_generation,
                                                          std::uint64_t generation,
                                                          std::uint64_t size_bytes, Index durable);

/// Writes zeros to [from, to). Not synced.
[[nodiscard]] Result<void> write_zeros(File& file, std::uint64_t from, std::uint64_t to);

}  // namespace understudy::journal
