#pragma once

#include <string>

#include "apps/commands/command.h"

namespace understudy::apps {

/// A script with which bash completes commands, options and their values, and names of services. It
/// asks the registry for the names, for at most 200 ms.
[[nodiscard]] std::string bash_completion(const CommandInfo& root);

}  // namespace understudy::apps
