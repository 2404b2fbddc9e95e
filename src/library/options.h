#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/agent.h"
#include "hosting/options.h"
#include "hosting/places.h"
#include "understudy/agent.h"
#include "understudy/registry.h"

namespace understudy::library {

/// Reads and checks the options of an agent; makes a name if none is given.
/// Errors: bad_config, limit_exceeded (none).
[[nodiscard]] Result<client::AgentOptions> check(const AgentOptions& options);

using hosting::check_listen;
using hosting::to_options;

/// The agent of a process that looks for the registry at these addresses; none if there are none.
/// Errors: as check().
[[nodiscard]] Result<std::optional<client::AgentOptions>> check_registry(
    const std::vector<std::string>& registry, const std::optional<TlsFiles>& tls);

/// Where a client finds the members of a service: by the registry, or in a list of HOST:PORT.
/// Errors: bad_config (none): neither is given; as check().
[[nodiscard]] Result<hosting::Places::Options> check_places(
    const std::string& service, const std::vector<std::string>& registry,
    const std::vector<std::string>& members, const std::optional<TlsFiles>& tls);

/// The prefix of the platform's own records, members and agents. Those of applications must not
/// have it.
inline constexpr std::string_view reserved_prefix = "understudy.";
/// Errors: bad_config (none).
[[nodiscard]] Result<void> check_not_reserved(std::string_view what, std::string_view name);

}  // namespace understudy::library
