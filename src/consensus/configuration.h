#pragma once

#include "consensus/core.h"

namespace understudy::consensus {

/// Appends the bytes of a configuration. Requires: well_formed().
/// Source: docs/formats/consensus.md, "Configuration".
void encode(const Configuration& configuration, Buffer& out);
[[nodiscard]] Buffer encoded(const Configuration& configuration);

/// Errors: corrupt (none): other bytes than encode() writes.
[[nodiscard]] Result<Configuration> decode_configuration(Bytes bytes);

/// 1 to servers_max servers by ascending id, none of them 0, at least one voter.
[[nodiscard]] bool well_formed(const Configuration& configuration);

/// Null if it is not there.
[[nodiscard]] const Server* find(const Configuration& configuration, ServerId id);
[[nodiscard]] bool is_voter(const Configuration& configuration, ServerId id);
[[nodiscard]] std::size_t voters(const Configuration& configuration);

/// How many servers were added, removed, or have another membership.
[[nodiscard]] std::size_t differences(const Configuration& from, const Configuration& to);

/// With `server` added or given that membership, and without it.
[[nodiscard]] Configuration with(Configuration configuration, Server server);
[[nodiscard]] Configuration without(Configuration configuration, ServerId id);

}  // namespace understudy::consensus
