#pragma once

#include "consensus/core.h"

namespace understudy::library {

/// The engine that this build has for what is replicated; null if it has none
/// (UNDERSTUDY_RAFT=OFF).
[[nodiscard]] consensus::MakeCore engine();

}  // namespace understudy::library
