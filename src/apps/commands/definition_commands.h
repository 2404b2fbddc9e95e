#pragma once

#include "apps/commands/invocation.h"

namespace understudy::apps {

/// `register`, `add-replica`, `remove-replica`, `unregister` of the command `service`.
void add_definition_commands(const Command& service, Globals& globals);

}  // namespace understudy::apps
