#pragma once

#include "apps/commands/command.h"
#include "apps/commands/invocation.h"

namespace understudy::apps {

/// inspect, verify, repair, replay: a journal's directory seen from outside.
void add_journal_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps
