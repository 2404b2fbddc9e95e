#pragma once

#include "apps/commands/command.h"
#include "apps/commands/invocation.h"

namespace understudy::apps {

/// understudy registry, and registry status | backup | restore.
void add_registry_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps
