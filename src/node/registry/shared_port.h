#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "runtime/runtime.h"

namespace understudy::node {

/// One port for two kinds of visitors: agents, and the other nodes of a registry. So that a
/// registry of several nodes has one address each, which is the same for all.
///
/// A connection between nodes begins with one byte of its own (`node_mark`); the first byte of any
/// other is that of a frame. for_nodes() is the runtime to give to whoever speaks to nodes: it
/// listens here, and marks what it dials.
///
/// Thread: loop only. Bounds: `undecided_max` connections that have said nothing yet; for one more
/// the oldest is closed. Each has `first_byte_limit`.
/// Source: docs/protocols/control.md, "Several nodes".
class SharedPort {
public:
    static constexpr std::byte node_mark{0x4E};
    static constexpr std::size_t undecided_max = 1000;
    static constexpr Duration first_byte_limit = 5s;

    /// Listens. `accepted` gets what agents open, under the rules of Network::listen.
    /// Errors: those of Network::listen.
    [[nodiscard]] static Result<std::unique_ptr<SharedPort>> open(
        Runtime& runtime, const Address& address, const std::optional<TlsOptions>& tls,
        Network::Accepted accepted);
    ~SharedPort();

    SharedPort(const SharedPort&) = delete;
    SharedPort& operator=(const SharedPort&) = delete;

    [[nodiscard]] const Address& address() const { return listener_->address(); }
    /// Outlives whoever is given it; lives as long as this.
    [[nodiscard]] Runtime& for_nodes();
    /// Takes no more agents; nodes go on.
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
    Network::Accepted nodes_;  ///< Null while nobody listens for nodes.
    std::map<std::uint64_t, std::unique_ptr<Visitor>> visitors_;  ///< Undecided.
    std::uint64_t visitor_last_ = 0;
    std::unique_ptr<NodeNetwork> network_;
    std::unique_ptr<NodeRuntime> node_runtime_;
    std::unique_ptr<Listener> listener_;
};

}  // namespace understudy::node
