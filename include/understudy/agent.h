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
#include "understudy/tls.h"
#include "understudy/types.h"

namespace understudy {

/// Compression of what this process sends and receives. Both ends agree on it for each connection.
enum class Compression : std::uint8_t { none = 0, gzip = 1, zstd = 2 };

struct AgentOptions {
    std::string name = {};  ///< Empty: made from host name and process id.
    std::vector<std::string> registry = {"127.0.0.1:22222"};  ///< Tried in turn, without end.
    std::string platform = {};  ///< Refuse a registry of any other platform. Empty: accept any.
    std::string listen =
        "127.0.0.1:0";           ///< The port to which clients of this agent's members connect.
    std::string advertise = {};  ///< The host to give to others: for containers, several addresses.
    std::optional<TlsFiles> tls = {};
    bool insecure = false;                      ///< Allows `listen` beyond loopback without TLS.
    std::vector<Compression> compression = {};  ///< In order of preference. Empty: none.
    LogSink log = {};                           ///< Empty: warnings and errors go to stderr.
    std::optional<Threads> threads = {};        ///< Shared with other agents. Empty: its own.
};

/// What the platform knows of one member.
struct MemberStatus {
    std::string name;
    std::string agent;
    std::string endpoint;
    std::uint64_t order = 0;  ///< Place in joining order; lower is earlier.
    Role role = Role::joining;
    Epoch epoch = {};
    std::uint64_t pid = 0;
};

/// What the platform knows of one service.
struct ServiceStatus {
    std::string family;
    Redundancy redundancy = Redundancy::fault_tolerant;
    Epoch epoch = {};
    std::string active;                 ///< Empty: no member is active, or all are (load_balanced).
    std::vector<MemberStatus> members;  ///< In joining order.
};

/// The library inside an application. Everything else is reached through it.
///
/// An agent starts without its registry and goes on without it. It has two threads, its own or
/// shared ones. One thread does the communication. *All* callbacks of this agent run on the other,
/// one at a time and in order, except those that ask for the loop thread (RunOn). An exception from
/// a callback is caught and logged. The agent installs no signal handlers, and no SIGPIPE reaches
/// the process. After fork() the child must not use it; exec is allowed.
///
/// Thread: any. It may be destroyed inside a callback. The destructor takes the members of the
/// agent out of the line and ends within two seconds. Services, records and proxies of the agent
/// remain as objects; their calls fail with `closed`.
class US_API Agent {
public:
    /// Errors: bad_config, in_use (none). It is no error if no registry answers.
    [[nodiscard]] static Result<Agent> open(AgentOptions options);

    Agent(Agent&&) noexcept;
    Agent& operator=(Agent&&) noexcept;
    ~Agent();

    /// Adds a member to a service. Returns at once. The registry's answer comes to the role
    /// listener, or to Service::wait_registered().
    /// Errors: bad_config, limit_exceeded, already_exists, closed (none).
    [[nodiscard]] Result<Service> create_service(ServiceOptions options);

    /// The proxy for a family, which follows the active member. An agent has one proxy per family.
    /// Errors: bad_config, closed (none).
    [[nodiscard]] Result<Proxy> proxy(std::string_view family);
    /// A proxy for one named member, active or not.
    [[nodiscard]] Result<Proxy> member_proxy(std::string_view family, std::string_view member);

    /// Waits until the family has an active member. Must not run on the callback thread.
    /// Errors: timed_out (none; says what it waited for), closed, bad_config (none).
    [[nodiscard]] Result<void> wait_for_service(std::string_view family, Duration timeout = 60s);

    /// The listener is called with the present state first, then with each change.
    void on_registry(std::function<void(bool available)> listener);
    void on_service(std::string_view family, std::function<void(const ServiceStatus&)> listener);
    /// Listens to all services of the platform: first each as it is, then each change. A service
    /// whose last member has gone is reported without members.
    void on_services(std::function<void(const ServiceStatus&)> listener);

    [[nodiscard]] bool registry_available() const;
    [[nodiscard]] std::string name() const;
    [[nodiscard]] std::string address() const;  ///< Where clients connect to its members.

    /// Blocks until close() or the destructor. For programs whose main thread has nothing else to
    /// do.
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
