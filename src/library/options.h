#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "client/agent.h"
#include "understudy/agent.h"
#include "understudy/registry.h"

namespace understudy::library {

/// Reads and checks what the application wants of its agent; fills in the name if it has none.
/// Errors: bad_config, limit_exceeded (none).
[[nodiscard]] Result<client::AgentOptions> check(const AgentOptions& options);

/// A port that others can reach is opened only with TLS, or if somebody says that it shall be open.
/// Errors: bad_config (none; says what to do).
[[nodiscard]] Result<Address> check_listen(std::string_view listen, bool has_tls, bool insecure);

[[nodiscard]] std::optional<TlsOptions> to_options(const std::optional<TlsFiles>& files);

/// Records, members and agents of ours begin like this; those of applications do not.
inline constexpr std::string_view reserved_prefix = "understudy.";
/// Errors: bad_config (none).
[[nodiscard]] Result<void> check_not_reserved(std::string_view what, std::string_view name);

}  // namespace understudy::library
