#pragma once

#include <string>

#include "registry/state/state.h"

namespace understudy::registry {

// The answers that active and standby nodes give in the same way.

/// The services that a lookup asks for.
void fill_lookup(const State& state, const std::string& family, wire::pb::LookupAnswer& answer);
/// The part of PlatformInfo that the state alone knows.
void fill_platform(const State& state, wire::pb::PlatformInfo& info);

}  // namespace understudy::registry
