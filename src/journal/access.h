#pragma once

#include <string>

#include "runtime/disk.h"

namespace understudy::journal {

/// Checks whether this process may use everything in a journal's directory, before the journal is
/// opened. Makes the directory if it does not exist, opens each file in it, and creates and removes
/// a test file.
///
/// Thread: one that may block.
/// Errors: not_permitted, bad_path, no_space, a shortage (none).
[[nodiscard]] Result<void> check_access(Disk& disk, const std::string& directory);

}  // namespace understudy::journal
