#pragma once

#include "apps/command.h"
#include "apps/invocation.h"

namespace understudy::apps {

/// understudy service list | show | switchover | explain, and understudy cluster list.
void add_service_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps
