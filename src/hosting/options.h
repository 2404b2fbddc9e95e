#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client/journaled.h"
#include "runtime/network.h"
#include "understudy/replica.h"
#include "understudy/tls.h"

namespace understudy::hosting {

[[nodiscard]] bool is_loopback(std::string_view host);

/// A port that other machines can reach is opened only with TLS, or if insecure is set.
/// Errors: bad_config (none; says what to do).
[[nodiscard]] Result<Address> check_listen(std::string_view listen, bool has_tls, bool insecure);

[[nodiscard]] std::optional<TlsOptions> to_options(const std::optional<TlsFiles>& files);

/// Where a copy listens. The registry is told it before the journal is open, and it stays the same
/// each time the journal is opened again.
struct OwnAddress {
    Address address;
    std::unique_ptr<HeldPort> held;  ///< Set if the system chose the port.
};

/// Requires: an address of check_listen(). Errors: as Network::hold_port().
[[nodiscard]] Result<OwnAddress> own_address(Network& network, Address listen);

/// How a member with these options registers. `endpoint` is where its callers connect; an
/// `advertise` that is not empty is the host that others are told.
[[nodiscard]] client::JournaledOptions place_in_line(const ReplicaOptions& options,
                                                     Address endpoint,
                                                     const std::string& advertise);

}  // namespace understudy::hosting
