#pragma once

#include "apps/commands/command.h"
#include "apps/commands/invocation.h"

namespace understudy::apps {

/// Commands about the program itself: config check | show, explain, completion.
void add_meta_commands(CommandLine& line, Globals& globals);

}  // namespace understudy::apps
