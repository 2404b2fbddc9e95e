#pragma once

#include <string>

#include "runtime/disk.h"

namespace understudy::journal {

/// Looks whether this process may use all that is in a journal's directory, for whoever opens it
/// later and should not find that out then: makes it if it is not there, opens each file, and makes
/// one and removes it.
///
/// Thread: where one may block.
/// Errors: not_permitted, bad_path, no_space, a shortage (none).
[[nodiscard]] Result<void> check_access(Disk& disk, const std::string& directory);

}  // namespace understudy::journal
