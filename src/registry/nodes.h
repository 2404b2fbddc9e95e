#pragma once

#include <string>
#include <vector>

#include "base/types.h"
#include "wire/control.h"

namespace understudy::registry {

/// One node of a registry, and its address for agents.
struct Node {
    std::string name;
    Address address;
    friend bool operator==(const Node&, const Node&) = default;
};

/// Appends `nodes` to the field of that name in a Welcome or a RegistryNodes.
template <class Message>
void tell_nodes(const std::vector<Node>& nodes, Message& message) {
    for (const Node& node : nodes) {
        wire::pb::RegistryNode& row = *message.add_nodes();
        row.set_name(node.name);
        *row.mutable_endpoint() = wire::to_endpoint(node.address);
    }
}

}  // namespace understudy::registry
