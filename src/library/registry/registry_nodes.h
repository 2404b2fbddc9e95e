#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/registry/registry_journal.h"
#include "registry/nodes.h"
#include "understudy/registry.h"

namespace understudy::library {

/// Reads "r1=HOST:PORT,r2=HOST:PORT".
/// Errors: bad_config (none): says which entry.
[[nodiscard]] Result<std::vector<registry::Node>> parse_nodes(std::string_view text);

/// Makes the settings of a registry node that is one of several from the operator's options.
///
/// If `name` is among `peers`, it is one of the first nodes. Otherwise it is a node that will be
/// added, and `advertise` is its address. Errors: bad_config (none).
[[nodiscard]] Result<node::RegistryJournal::Several> several_nodes(
    const std::string& name, std::vector<registry::Node> peers,
    const std::optional<Address>& advertise);

/// The same from the options of an application. Requires: options.peers is not empty.
[[nodiscard]] Result<node::RegistryJournal::Several> to_several(const RegistryOptions& options);

}  // namespace understudy::library
