#pragma once

#include "apps/command.h"
#include "apps/invocation.h"

namespace understudy::apps {

/// understudy record list | get | watch | put, and understudy call.
void add_record_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps
