#pragma once

#include <cstddef>
#include <cstdint>

#include "understudy/types.h"

namespace understudy::platform {

/// How many descriptors this process may have (RLIMIT_NOFILE). Cheap: one system call.
[[nodiscard]] std::uint64_t descriptor_limit();

/// Raises the number of descriptors this process may have to the most it may ask for, and returns
/// it. For programs: a library leaves the limits of its host alone.
/// Errors: not_permitted (none).
[[nodiscard]] Result<std::uint64_t> raise_descriptor_limit();

/// What a server needs at least, free when it starts: a loop, its port, its journal, some peers.
inline constexpr std::size_t descriptors_min = 24;

/// Are there so many? For programs, before they make a runtime, which throws without.
/// Errors: no_descriptors (none): says how many this process may have.
[[nodiscard]] Result<void> check_descriptors();

}  // namespace understudy::platform
