#pragma once

#include <functional>
#include <string>

#include "apps/commands/invocation.h"
#include "apps/commands/session.h"

namespace understudy::apps {

/// Prints what `render` gives, now and whenever the platform changes it, until interrupted.
///
/// On a terminal in place, else one after the other. While the registry is away the last picture
/// stays, and standard error says so.
[[nodiscard]] Result<Exit> watch_platform(
    const Invocation& invocation, Session& session,
    const std::function<Result<std::string>(Session&)>& render);

}  // namespace understudy::apps
