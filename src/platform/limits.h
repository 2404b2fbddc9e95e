#pragma once

#include <cstdint>

#include "understudy/types.h"

namespace understudy::platform {

/// How many descriptors this process may have (RLIMIT_NOFILE). Cheap: one system call.
[[nodiscard]] std::uint64_t descriptor_limit();

/// Raises the number of descriptors this process may have to the most it may ask for, and returns
/// it. For programs: a library leaves the limits of its host alone.
/// Errors: not_permitted (none).
[[nodiscard]] Result<std::uint64_t> raise_descriptor_limit();

}  // namespace understudy::platform
