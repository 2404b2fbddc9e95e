#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/harness/bench.h"
#include "bench/harness/child.h"
#include "bench/harness/place.h"
#include "bench/harness/stage.h"

namespace understudy::bench {

/// The processes of two immortals, one of which calls the other.
class ImmortalPair {
public:
    struct Options {
        std::string name;     ///< "local directory"
        std::string journal;  ///< local, shared or group; the same for both services.
        std::size_t standbys = 0;  ///< Of the server; the client has one copy.
        bool registry = false;     ///< It designates the roles: one standby is the checkpointer.
        std::uint64_t checkpoint_every_bytes = 64 * MiB;  ///< With a registry.
        bool coordinator = false;                         ///< Each copy has one. Only with local.
    };
    struct Count {
        std::uint64_t calls = 0;
        std::uint64_t nanoseconds = 0;  ///< In the monotonic clock.
    };

    /// Returns when both are active and, with a registry, the others have their roles.
    /// Errors: failed, timed_out, closed (none).
    [[nodiscard]] static Result<ImmortalPair> start(const Bench& bench, const Options& options);

    [[nodiscard]] Child& client() { return client_.front(); }
    [[nodiscard]] Child& server() { return servers_[active_]; }
    /// With a registry: the server's copy with this role. Requires: there is one.
    [[nodiscard]] Child& server(Role role);
    [[nodiscard]] const Place& place() const { return place_; }
    /// The directory of the journals of the server's copies.
    [[nodiscard]] std::string server_directory(Role role) const;

    /// Calls that the server has carried out.
    [[nodiscard]] Result<Count> count();
    /// Starts one-way calls without end.
    [[nodiscard]] Result<void> push(std::size_t bytes);
    /// Ends them. Errors: failed (none): the server has not carried out each call once.
    [[nodiscard]] Result<void> stop_and_compare();

    /// Processor time so far: application and coordinator of the active server; the client.
    struct Used {
        double server = 0;
        double client = 0;
    };
    [[nodiscard]] Result<Used> used() const;

private:
    explicit ImmortalPair(Place place) : place_(std::move(place)) {}

    [[nodiscard]] Result<void> start_coordinators(const Bench& bench);
    [[nodiscard]] Result<void> wait_active();
    [[nodiscard]] Result<void> wait_roles();

    Place place_;  // First, because the processes must end before their directory is removed.
    std::optional<RegistryProcess> registry_;
    std::vector<Child> coordinators_;  ///< Those of the server and of the client.
    std::vector<std::string> beside_;  ///< Where they wait for their applications.
    std::vector<std::string> server_addresses_;
    std::vector<std::string> client_addresses_;
    std::vector<Child> servers_;
    std::vector<std::string> roles_;  ///< Of the servers, with a registry.
    std::vector<Child> client_;
    std::string journal_;
    std::size_t active_ = 0;
    std::uint64_t counted_before_ = 0;  ///< Before the one-way calls that are under way.
};

}  // namespace understudy::bench
