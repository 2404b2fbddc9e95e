#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "runtime/runtime.h"

namespace understudy::node {

/// One port for agents and for the other nodes of a registry, so that each node of a registry has
/// one address.
///
/// A connection between nodes begins with the byte `node_mark`. Any other connection begins with
/// the first byte of a frame. for_nodes() is a runtime for code that connects nodes: it listens
/// here, and sends the mark on connections that it makes.
///
/// Thread: loop only. Bounds: `undecided_max` connections from which no byte has come. For one
/// more, the oldest is closed. Each is closed after `first_byte_limit`.
/// Source: docs/protocols/control.md, "Several nodes".
class SharedPort {
public:
    static constexpr std::byte node_mark{0x4E};
    static constexpr std::size_t undecided_max = 1000;
    static constexpr Duration first_byte_limit = 5s;

    /// Listens. `accepted` gets the connections of agents, by the rules of Network::listen.
    /// Errors: those of Network::listen.
    [[nodiscard]] static Result<std::unique_ptr<SharedPort>> open(
        Runtime& runtime, const Address& address, const std::optional<TlsOptions>& tls,
        Network::Accepted accepted);
    ~SharedPort();

    SharedPort(const SharedPort&) = delete;
    SharedPort& operator=(const SharedPort&) = delete;

    [[nodiscard]] const Address& address() const { return listener_->address(); }
    /// Lives as long as this, and must outlive its users.
    [[nodiscard]] Runtime& for_nodes();
    /// Connections of agents are closed from now on; those of nodes are accepted.
    void close_to_agents() { agents_ = nullptr; }

private:
    class Visitor;
    class NodeNetwork;
    class NodeRuntime;

    SharedPort(Runtime& runtime, Network::Accepted accepted);

    void arrived(std::unique_ptr<Connection> connection);
    void decided(std::uint64_t id, bool node);

    Runtime& runtime_;
    Network::Accepted agents_;
    Network::Accepted nodes_;                                     ///< Null while no node listens.
    std::map<std::uint64_t, std::unique_ptr<Visitor>> visitors_;  ///< Undecided.
    std::uint64_t visitor_last_ = 0;
    std::unique_ptr<NodeNetwork> network_;
    std::unique_ptr<NodeRuntime> node_runtime_;
    std::unique_ptr<Listener> listener_;
};

}  // namespace understudy::node
