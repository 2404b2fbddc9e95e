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

/// One node of a registry of several.
struct RegistryPeer {
    std::string name;
    std::string address;  ///< HOST:PORT, for agents and for the other nodes.
};

struct RegistryOptions {
    std::string platform = "understudy";
    std::string listen = "127.0.0.1:22222";
    std::string data;  ///< Directory of its journal; one registry at a time.
    std::optional<TlsFiles> tls = {};
    bool insecure = false;  ///< Allows `listen` beyond loopback without TLS.
    std::uint64_t segment_size = 1 * MiB;
    LogSink log = {};
    std::string name = "registry";  ///< Of this node.
    /// The first nodes, this one among them: the same list at each. Empty: this registry runs
    /// alone.
    std::vector<RegistryPeer> peers = {};
    std::string advertise = {};  ///< HOST:PORT told to others; empty: as in `peers`.
    /// Of several nodes: how long the active one may be silent before the others choose another.
    Duration election_timeout = 300ms;
};

/// How certain a lookup is.
enum class Consistency : std::uint8_t {
    /// The registry's active node answers, once it is certain that it still is: what anybody was
    /// told before the question is in the answer.
    linearizable,
    /// Any node answers from what it has. Works without a majority, may be old and says how old.
    /// What one agent is told never goes back.
    cached,
};

struct LookupOptions {
    Consistency consistency = Consistency::linearizable;
    Duration timeout = 5s;
};

/// What the registry says of its services.
struct Lookup {
    std::vector<ServiceStatus> services;  ///< By name.
    std::uint64_t revision = 0;           ///< Of the platform; grows with each change.
    Duration age = {};  ///< Since the node that answers last knew that nothing was missing there.
    std::string node;   ///< Who answers.
};

/// Asks for one service (not_found if there is none), or for all of them by an empty name.
/// Thread: any but that of the agent's callbacks.
/// Errors: not_found, timed_out, closed, bad_config, limit_exceeded (none).
[[nodiscard]] US_API Result<Lookup> lookup(Agent& agent, std::string_view family,
                                           LookupOptions options = {});

/// A registry, or one node of a registry, inside this process: the same as `understudy registry`.
///
/// Thread: any; has its own loop thread. Destroying it closes it in bounded time; what was
/// acknowledged is durable, roles and connections of members and clients go on without it.
class US_API Registry {
public:
    /// Recovers, listens, then returns. One of several nodes may not know yet who is active.
    /// Errors: bad_config, in_use (another registry on the directory or the port), corrupt,
    ///         disk_failed, no_space (none).
    [[nodiscard]] static Result<Registry> open(RegistryOptions options);

    Registry(Registry&&) noexcept;
    Registry& operator=(Registry&&) noexcept;
    ~Registry();

    [[nodiscard]] std::string address() const;
    /// The disk failed and the registry has ended; called once, on its loop thread.
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
