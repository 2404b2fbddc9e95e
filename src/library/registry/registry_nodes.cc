#include "library/registry/registry_nodes.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/errors.h"
#include "library/engine.h"
#include "understudy/limits.h"

namespace understudy::library {

namespace {

constexpr std::size_t first_nodes_max = 7;

[[nodiscard]] Result<registry::Node> to_node(std::string_view name, std::string_view address) {
    US_CHECK(check_identifier("registry node", name));
    auto parsed = parse_address(address);
    if (!parsed) return bad_config(fmt::format("peers: {}: {}", name, parsed.error().detail));
    if (parsed->host.empty() || parsed->port == 0) {
        return bad_config(fmt::format("peers: {}: a host and a port are needed", name));
    }
    return registry::Node{.name = std::string(name), .address = *std::move(parsed)};
}

}  // namespace

Result<std::vector<registry::Node>> parse_nodes(std::string_view text) {
    std::vector<registry::Node> nodes;
    while (true) {
        const std::size_t comma = text.find(',');
        const std::string_view entry = text.substr(0, comma);
        const std::size_t equals = entry.find('=');
        if (equals == std::string_view::npos) {
            return bad_config(fmt::format("peers: \"{}\": expected NAME=HOST:PORT", entry));
        }
        nodes.push_back(US_TRY(to_node(entry.substr(0, equals), entry.substr(equals + 1))));
        if (comma == std::string_view::npos) return nodes;
        text.remove_prefix(comma + 1);
    }
}

Result<node::RegistryJournal::Several> several_nodes(const std::string& name,
                                                     std::vector<registry::Node> peers,
                                                     const std::optional<Address>& advertise) {
    if (engine() == nullptr) {
        return bad_config("peers: this build has no replicated journal (UNDERSTUDY_RAFT=OFF)");
    }
    std::set<std::string> names;
    std::set<Address> addresses;
    for (const registry::Node& node : peers) {
        if (!names.insert(node.name).second) {
            return bad_config(fmt::format("peers: {} is listed twice", node.name));
        }
        if (!addresses.insert(node.address).second) {
            return bad_config(fmt::format("peers: {} is listed twice", to_string(node.address)));
        }
    }
    if (peers.size() > first_nodes_max) {
        return bad_config(fmt::format("peers: {} nodes, at most {}; three or five are usual",
                                      peers.size(), first_nodes_max));
    }
    const auto self = std::find_if(peers.begin(), peers.end(),
                                   [&](const registry::Node& node) { return node.name == name; });
    node::RegistryJournal::Several several;
    several.make_core = engine();
    if (self != peers.end()) {
        if (peers.size() < 2) return bad_config("peers: there is no other node");
        several.address = self->address;
    } else if (!advertise) {
        return bad_config(
            fmt::format("peers: {} is not among them; a node that will be added says by "
                        "advertise where the others find it",
                        name));
    }
    if (advertise) several.address = *advertise;
    if (several.address.host.empty() || several.address.port == 0) {
        return bad_config("advertise: a host and a port are needed");
    }
    several.founders = std::move(peers);
    return several;
}

Result<node::RegistryJournal::Several> to_several(const RegistryOptions& options) {
    std::vector<registry::Node> peers;
    for (const RegistryPeer& peer : options.peers) {
        peers.push_back(US_TRY(to_node(peer.name, peer.address)));
    }
    std::optional<Address> advertise;
    if (!options.advertise.empty()) advertise = US_TRY(parse_address(options.advertise));
    auto several = US_TRY(several_nodes(options.name, std::move(peers), advertise));
    if (options.election_timeout < 100ms || options.election_timeout > 10s) {
        return bad_config("election_timeout: expected 100 ms to 10 s");
    }
    several.election_timeout = options.election_timeout;
    several.heartbeat_interval = options.election_timeout / 6;
    return several;
}

}  // namespace understudy::library
