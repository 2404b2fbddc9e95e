#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

#include "understudy/types.h"

namespace understudy::bench {

/// What it has used of the processors so far, kernel included, to 10 ms. Errors: failed (none).
[[nodiscard]] Result<double> processor_seconds(pid_t process);

/// A line of a file below /proc in megabytes: "VmRSS:". 0 if it is not there.
[[nodiscard]] double field_mb(const std::string& path, std::string_view key);
/// Resident, the most that it ever was.
[[nodiscard]] double peak_resident_mb(pid_t process);

}  // namespace understudy::bench
