#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "client/agent.h"
#include "understudy/agent.h"
#include "understudy/registry.h"

namespace understudy::library {

/// Reads and checks the options of an agent; makes a name if none is given.
/// Errors: bad_config, limit_exceeded (none).
[[nodiscard]] Result<client::AgentOptions> check(const AgentOptions& options);

/// A port that others can reach is opened only with TLS, or if insecure is set.
/// Errors: bad_config (none; says what to do).
[[nodiscard]] Result<Address> check_listen(std::string_view listen, bool has_tls, bool insecure);

[[nodiscard]] std::optional<TlsOptions> to_options(const std::optional<TlsFiles>& files);

/// The prefix of the platform's own records, members and agents. Those of applications must not
/// have it.
inline constexpr std::string_view reserved_prefix = "understudy.";
/// Errors: bad_config (none).
[[nodiscard]] Result<void> check_not_reserved(std::string_view what, std::string_view name);

}  // namespace understudy::library
