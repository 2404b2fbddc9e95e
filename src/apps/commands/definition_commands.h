#pragma once

#include "apps/commands/invocation.h"

namespace understudy::apps {

/// The commands register, add-replica, remove-replica and unregister of `service`.
void add_definition_commands(const Command& service, Globals& globals);

}  // namespace understudy::apps
