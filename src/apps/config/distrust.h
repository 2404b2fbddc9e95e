#pragma once

#include <string>

#include "understudy/types.h"

namespace understudy::apps {

/// What a command says when it and the registry at `where` do not agree on who they are: who does
/// not accept whom, whose certificate, why, and the next command or option, which fits the reason.
///
/// Requires: the reason's code is `denied`.
[[nodiscard]] Error explain_distrust(const Error& reason, const std::string& where);

}  // namespace understudy::apps
