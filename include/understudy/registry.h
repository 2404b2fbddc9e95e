#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "understudy/agent.h"
#include "understudy/types.h"

namespace understudy {

/// One node of a registry that has several.
struct RegistryPeer {
    std::string name;
    std::string address;  ///< HOST:PORT, for agents and for the other nodes.
};

struct RegistryOptions {
    std::string platform = "understudy";
    std::string listen = "127.0.0.1:22222";
    std::string data;  ///< Directory of its journal. Two registries cannot share it.
    std::optional<TlsFiles> tls = {};
    bool insecure = false;  ///< Allows `listen` beyond loopback without TLS.
    std::uint64_t segment_size = 1 * MiB;
    LogSink log = {};
    std::string name = "registry";  ///< Of this node.
    /// The first nodes, including this one. The list is the same at each node. Empty: this registry
    /// runs alone.
    std::vector<RegistryPeer> peers = {};
    std::string advertise = {};  ///< HOST:PORT to give to others; empty: the one in `peers`.
    /// With several nodes: how long the active one may be silent before the others elect another.
    Duration election_timeout = 300ms;
};

/// How certain a lookup is.
enum class Consistency : std::uint8_t {
    /// The registry's active node answers after it has made sure that it is still active. The
    /// answer contains everything that was acknowledged to any client before the question.
    linearizable,
    /// Any node answers from what it has. This works without a majority. The answer may be old and
    /// says how old. Answers to one agent never go back in time.
    cached,
};

struct LookupOptions {
    Consistency consistency = Consistency::linearizable;
    Duration timeout = 5s;
};

/// What the registry knows of its services.
struct Lookup {
    std::vector<ServiceStatus> services;  ///< Sorted by name.
    std::uint64_t revision = 0;           ///< Of the platform; grows with each change.
    Duration age = {};  ///< Since the answering node last knew that it lacked nothing.
    std::string node;   ///< The node that answered.
};

/// Asks for one service, or for all services if `family` is empty.
/// Thread: any except that of the agent's callbacks.
/// Errors: not_found, timed_out, closed, bad_config, limit_exceeded (none).
[[nodiscard]] US_API Result<Lookup> lookup(Agent& agent, std::string_view family,
                                           LookupOptions options = {});

/// A registry, or one node of a registry, inside this process: the same as `understudy registry`.
///
/// Thread: any; it has its own loop thread. The destructor closes it in bounded time. What was
/// acknowledged is durable. Roles, and connections between members and clients, go on without it.
class US_API Registry {
public:
    /// Recovers, listens, then returns. A node of several may not know yet which one is active.
    /// Errors: bad_config, in_use (another registry on the directory or the port), corrupt,
    ///         disk_failed, no_space (none).
    [[nodiscard]] static Result<Registry> open(RegistryOptions options);

    Registry(Registry&&) noexcept;
    Registry& operator=(Registry&&) noexcept;
    ~Registry();

    [[nodiscard]] std::string address() const;
    /// Called once, on the loop thread, when the disk has failed and the registry has ended.
    void on_failed(std::function<void(const Error&)> listener);
    /// Blocks until close(), the destructor, or a failed disk.
    void wait();
    void close();

    struct Impl;

private:
    explicit Registry(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
