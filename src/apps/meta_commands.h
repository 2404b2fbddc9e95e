#pragma once

#include "apps/command.h"
#include "apps/invocation.h"

namespace understudy::apps {

/// Commands about the program itself: config check | show, explain, completion.
void add_meta_commands(CommandLine& line, Globals& globals);

}  // namespace understudy::apps
