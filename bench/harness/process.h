#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

#include "understudy/types.h"

namespace understudy::bench {

/// The processor time that it has used, kernel included, to 10 ms. Errors: failed (none).
[[nodiscard]] Result<double> processor_seconds(pid_t process);

/// A line of a file below /proc, such as "VmRSS:", in megabytes. 0 if it is missing.
[[nodiscard]] double field_mb(const std::string& path, std::string_view key);
/// The highest resident size that it ever had.
[[nodiscard]] double peak_resident_mb(pid_t process);

}  // namespace understudy::bench
