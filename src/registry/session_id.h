#pragma once

#include "base/types.h"

namespace understudy::registry {

using SessionId = LinkId;  ///< One connection to this registry.

}  // namespace understudy::registry
