#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "understudy/proxy.h"
#include "understudy/service.h"
#include "understudy/threads.h"
#include "understudy/types.h"

namespace understudy {

/// Certificates of this process: TLS 1.3 on every connection, both ends prove who they are.
struct TlsFiles {
    std::string certificate;  ///< PEM, own chain.
    std::string key;          ///< PEM, readable by the owner alone.
    std::string authority;    ///< PEM, who signs the peers.
};

/// Compression of what this process sends and receives, agreed on per connection.
enum class Compression : std::uint8_t { none = 0, gzip = 1, zstd = 2 };

struct AgentOptions {
    std::string name = {};  ///< Empty: made of host name and process id.
    std::vector<std::string> registry = {"127.0.0.1:22222"};  ///< Tried in turn, for ever.
    std::string platform = {};           ///< Refuse a registry of another one. Empty: any.
    std::string listen = "127.0.0.1:0";  ///< Where the members of this agent meet their clients.
    std::string advertise = {};          ///< Host told to others: containers, several addresses.
    std::optional<TlsFiles> tls = {};
    bool insecure = false;                      ///< Allows `listen` beyond loopback without TLS.
    std::vector<Compression> compression = {};  ///< In order of preference. Empty: none.
    LogSink log = {};                           ///< Empty: warnings and errors go to stderr.
    std::optional<Threads> threads = {};        ///< Shared with other agents. Empty: its own.
};

/// One member as the platform knows it.
struct MemberStatus {
    std::string name;
    std::string agent;
    std::string endpoint;
    std::uint64_t order = 0;  ///< Place in the line: lower is earlier.
    Role role = Role::joining;
    Epoch epoch = {};
    std::uint64_t pid = 0;
};

/// One service as the platform knows it.
struct ServiceStatus {
    std::string family;
    Redundancy redundancy = Redundancy::fault_tolerant;
    Epoch epoch = {};
    std::string active;                 ///< Empty: nobody, or all (load_balanced).
    std::vector<MemberStatus> members;  ///< In joining order.
};

/// The library inside an application: everything else is reached through it.
///
/// Starts before its registry and goes on without it. Has two threads, its own or shared ones: one
/// that talks, and one on which *all* callbacks of this agent run, one at a time, in order, but for
/// those that ask for the loop thread (RunOn). Exceptions from callbacks are caught and logged. Installs no signal handlers and lets no
/// SIGPIPE reach the process. After fork() the child must not use it; exec is fine.
///
/// Thread: any. May be destroyed inside a callback. Destroying it takes its members out of the
/// line and ends in at most two seconds; services, records and proxies of it go on as objects
/// whose calls fail with `closed`.
class US_API Agent {
public:
    /// Errors: bad_config, in_use (none). That no registry answers is no error.
    [[nodiscard]] static Result<Agent> open(AgentOptions options);

    Agent(Agent&&) noexcept;
    Agent& operator=(Agent&&) noexcept;
    ~Agent();

    /// Adds a member to a service. Returns at once; the registry's answer comes by the role
    /// listener, or by Service::wait_registered().
    /// Errors: bad_config, limit_exceeded, already_exists, closed (none).
    [[nodiscard]] Result<Service> create_service(ServiceOptions options);

    /// The one proxy of this agent for the family: follows whoever is active.
    /// Errors: bad_config, closed (none).
    [[nodiscard]] Result<Proxy> proxy(std::string_view family);
    /// A proxy for one named member, active or not.
    [[nodiscard]] Result<Proxy> member_proxy(std::string_view family, std::string_view member);

    /// Waits until the family has an active member. Not on the callback thread.
    /// Errors: timed_out (none; says what it waited for), closed, bad_config (none).
    [[nodiscard]] Result<void> wait_for_service(std::string_view family, Duration timeout = 60s);

    /// Called with the present state first, then with each change.
    void on_registry(std::function<void(bool available)> listener);
    void on_service(std::string_view family, std::function<void(const ServiceStatus&)> listener);
    /// All services of the platform: each as it is, then as it changes; a service without members
    /// is reported with none.
    void on_services(std::function<void(const ServiceStatus&)> listener);

    [[nodiscard]] bool registry_available() const;
    [[nodiscard]] std::string name() const;
    [[nodiscard]] std::string address() const;  ///< Where its members meet their clients.

    /// Blocks until close() or the destructor. For programs that have nothing else to do.
    void wait();
    /// Takes the members out of the line, then closes. Idempotent.
    void close(Duration limit = 2s);

    struct Impl;

private:
    friend struct library::Access;
    explicit Agent(std::shared_ptr<Impl> impl);
    [[nodiscard]] Result<Proxy> open_proxy(std::string_view family, std::string_view member);
    std::shared_ptr<Impl> impl_;
};

}  // namespace understudy
