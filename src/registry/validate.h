#pragma once

#include "understudy/types.h"
#include "wire/control.pb.h"

namespace understudy::registry {

inline constexpr Duration lease_min = 100ms;
inline constexpr Duration lease_max = 60s;
/// Far above any real epoch, and far below the largest number, so that no report can overflow it.
inline constexpr std::uint64_t epoch_max = std::uint64_t{1} << 62;

/// Is this request well-formed? Names become paths, so they are checked before anything is written.
/// Errors: bad_config, limit_exceeded (none).
[[nodiscard]] Result<void> check(const wire::pb::Register& wanted);
[[nodiscard]] Result<void> check_family(std::string_view family);

}  // namespace understudy::registry
