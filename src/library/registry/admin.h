#pragma once

#include <string>

#include "understudy/agent.h"
#include "understudy/registry.h"
#include "wire/control.pb.h"

namespace understudy::library {

// Questions of an operator's tools to a registry, through an agent. If the registry is away, these
// functions wait for it. They must not run on the loop.

/// Errors: timed_out, unavailable (none if it was not sent, otherwise unknown), closed (none), and
/// those of the registry.
[[nodiscard]] Result<wire::pb::Answer> ask(Agent& agent, wire::pb::Ask question, Duration timeout);

/// Asks any node of the registry that can be reached, for its state and for cached lookups. Does
/// not wait for the active node. Errors: timed_out, closed (none), and those of the node.
[[nodiscard]] Result<wire::pb::Answer> ask_any(Agent& agent, wire::pb::Ask question,
                                               Duration timeout);

/// Looks up a service, or all services of the platform if the name is empty. An unknown service is
/// missing in the answer. Errors: timed_out, closed, unavailable, limit_exceeded (none).
[[nodiscard]] Result<wire::pb::LookupAnswer> look_up(Agent& agent, const std::string& family,
                                                     Consistency consistency, Duration timeout);

}  // namespace understudy::library
