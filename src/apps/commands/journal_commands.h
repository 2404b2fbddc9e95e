#pragma once

#include "apps/commands/command.h"
#include "apps/commands/invocation.h"

namespace understudy::apps {

/// inspect, verify, replay: a journal's directory looked at from outside, never changed.
void add_journal_commands(const Command& root, Globals& globals);

}  // namespace understudy::apps
