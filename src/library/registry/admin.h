#pragma once

#include <string>

#include "understudy/agent.h"
#include "understudy/registry.h"
#include "wire/control.pb.h"

namespace understudy::library {

// What an operator's tools ask of a registry, through an agent. Both wait for the registry if it is
// away. Not on the loop.

/// Errors: timed_out, unavailable (none if it was not sent, else unknown), closed (none), and what
/// the registry says.
[[nodiscard]] Result<wire::pb::Answer> ask(Agent& agent, wire::pb::Ask question, Duration timeout);

/// The same of whichever node of the registry can be reached: how it is, cached lookups.
/// Does not wait for the active one. Errors: timed_out, closed (none), and what the node says.
[[nodiscard]] Result<wire::pb::Answer> ask_any(Agent& agent, wire::pb::Ask question,
                                               Duration timeout);

/// A service, or all of the platform by an empty name. A service that there is none of is not
/// there. Errors: timed_out, closed, unavailable, limit_exceeded (none).
[[nodiscard]] Result<wire::pb::LookupAnswer> look_up(Agent& agent, const std::string& family,
                                                     Consistency consistency, Duration timeout);

}  // namespace understudy::library
