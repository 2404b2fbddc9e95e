#pragma once

#include <string>
#include <vector>

#include "journal/walk/walk.h"
#include "runtime/disk.h"

namespace understudy::journal {

struct Repaired {
    std::string file;
    std::uint64_t zeros = 0;  ///< How many were appended.
};

/// Appends the zeros that are missing at the end of segments whose entries are all complete. No
/// other damage can be repaired without losing entries.
///
/// `found` is the result of a walk through the directory. Repairs everything or refuses. What is
/// unfinished after a crash is done by the next attempt.
///
/// Errors: in_use (none): a process has the journal open; corrupt (none): there is other damage,
///         and nothing was changed; no_space, denied, disk_failed (unknown).
/// Thread: any; blocks.
[[nodiscard]] Result<std::vector<Repaired>> repair(Disk& disk, const std::string& directory,
                                                   const Walked& found);

}  // namespace understudy::journal
