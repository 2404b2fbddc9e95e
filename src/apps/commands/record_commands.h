#pragma once

#include "apps/commands/command.h"
#include "apps/commands/invocation.h"

namespace understudy::apps {

/// understudy record list | get | watch | put, and understudy call.
void add_record_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps
