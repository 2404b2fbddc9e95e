#pragma once

#include <functional>
#include <string>

#include "apps/commands/invocation.h"
#include "apps/commands/session.h"

namespace understudy::apps {

/// Prints the result of `render` now and after each change of the platform, until interrupted.
///
/// On a terminal it prints in place, otherwise one after the other. While the registry is away the
/// last output stays, and standard error says so.
[[nodiscard]] Result<Exit> watch_platform(
    const Invocation& invocation, Session& session,
    const std::function<Result<std::string>(Session&)>& render);

}  // namespace understudy::apps
