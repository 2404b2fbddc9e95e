#pragma once

#include <vector>

#include "understudy/agent.h"
#include "wire/control.pb.h"

namespace understudy::library {

// What an operator's tools ask of a registry, through an agent. Both wait for the registry if it is
// away. Not on the loop.

/// Errors: timed_out, unavailable (none if it was not sent, else unknown), closed (none), and what
/// the registry says.
[[nodiscard]] Result<wire::pb::Answer> ask(Agent& agent, wire::pb::Ask question, Duration timeout);

/// All services of the platform, as the registry has them now.
/// Errors: timed_out, closed (none).
[[nodiscard]] Result<std::vector<wire::pb::ServiceInfo>> services(Agent& agent, Duration timeout);

}  // namespace understudy::library
