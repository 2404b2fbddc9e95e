#pragma once

#include <cstddef>
#include <cstdint>

#include "understudy/types.h"

namespace understudy::platform {

/// The number of descriptors that this process may have (RLIMIT_NOFILE). Costs one system call.
[[nodiscard]] std::uint64_t descriptor_limit();

/// Raises the number of descriptors of this process to the highest permitted value, and returns it.
/// For programs: a library does not change the limits of its host process.
/// Errors: not_permitted (none).
[[nodiscard]] Result<std::uint64_t> raise_descriptor_limit();

/// The least that a server needs when it starts: a loop, its port, its journal, some peers.
inline constexpr std::size_t descriptors_min = 24;

/// Checks that this many are free. Programs call it before they create a runtime, which throws
/// without them.
/// Errors: no_descriptors (none): says how many this process may have.
[[nodiscard]] Result<void> check_descriptors();

}  // namespace understudy::platform
