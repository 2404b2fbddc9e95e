#pragma once

#include <string>
#include <vector>

#include "journal/walk/walk.h"
#include "runtime/disk.h"

namespace understudy::journal {

struct Repaired {
    std::string file;
    std::uint64_t zeros = 0;  ///< That were appended.
};

/// Appends the zeros that segments lack, where every entry is whole: no other damage can be
/// repaired without giving entries up.
///
/// `found` is what a walk of the directory found. Does all of it or refuses; what a crash leaves
/// half done is done by the next attempt.
///
/// Errors: in_use (none): somebody has the journal open; corrupt (none): something else is damaged,
///         nothing was changed; no_space, denied, disk_failed (unknown).
/// Thread: any; blocks.
[[nodiscard]] Result<std::vector<Repaired>> repair(Disk& disk, const std::string& directory,
                                                   const Walked& found);

}  // namespace understudy::journal
