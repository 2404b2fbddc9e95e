#pragma once

#include <string>

#include "understudy/types.h"

namespace understudy::apps {

/// The message of a command if it and the registry at `where` do not accept each other: which end
/// does not accept the other, whose certificate, why, and a command or option that fits the reason.
///
/// Requires: the reason's code is `denied`.
[[nodiscard]] Error explain_distrust(const Error& reason, const std::string& where);

}  // namespace understudy::apps
