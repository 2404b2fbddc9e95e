#pragma once

#include <string>

#include "apps/commands/command.h"

namespace understudy::apps {

/// A script that makes bash complete commands, options and their values, and names of services,
/// which it asks the registry for: at most 200 ms, then without.
[[nodiscard]] std::string bash_completion(const CommandInfo& root);

}  // namespace understudy::apps
