#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "client/journaled.h"
#include "runtime/runtime.h"
#include "understudy/replica.h"
#include "understudy/tls.h"

namespace understudy::hosting {

[[nodiscard]] bool is_loopback(std::string_view host);

/// A port that other machines can reach is opened only with TLS, or if insecure is set.
/// Errors: bad_config (none; says what to do).
[[nodiscard]] Result<Address> check_listen(std::string_view listen, bool has_tls, bool insecure);

[[nodiscard]] std::optional<TlsOptions> to_options(const std::optional<TlsFiles>& files);

/// The address with a port that is free now, if its port is 0: a registry is told the port before
/// the journal is open, and it stays the same. Errors: as Network::listen().
[[nodiscard]] Result<Address> with_port(Runtime& runtime, Address listen);

/// How a member with these options registers. `endpoint` is where its callers connect; an
/// `advertise` that is not empty is the host that others are told.
[[nodiscard]] client::JournaledOptions place_in_line(const ReplicaOptions& options,
                                                     Address endpoint,
                                                     const std::string& advertise);

}  // namespace understudy::hosting
