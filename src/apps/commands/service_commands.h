#pragma once

#include "apps/commands/command.h"
#include "apps/commands/invocation.h"

namespace understudy::apps {

/// understudy service list | show | switchover | explain, and understudy cluster list.
void add_service_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps
