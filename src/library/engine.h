#pragma once

#include "consensus/core.h"

namespace understudy::library {

/// The consensus engine of this build; null if it has none (UNDERSTUDY_RAFT=OFF).
[[nodiscard]] consensus::MakeCore engine();

}  // namespace understudy::library
