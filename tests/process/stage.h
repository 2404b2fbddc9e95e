#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/process/network.h"
#include "tests/process/process.h"

namespace understudy::process {

/// Options of one of our programs, in the order in which they are given: {"--tick", "5"}.
using Options = std::vector<std::string>;

// No test depends on the speed of the machine. Tests wait for events. Leases are either so long
// that no process without processor time counts as silent, or are awaited.

/// For members whose lease must not expire: the longest lease. start_member() uses it.
inline const Options long_lease{"--lease", "60000"};
/// For events that are proven and wait for no lease: far below the long lease.
inline constexpr Clock::duration at_once = 30s;
/// For leases that must expire.
inline constexpr Clock::duration lease_time = 2s;
inline const Options short_lease{"--lease", "2000"};

[[nodiscard]] inline Options with(Options options, const Options& more) {
    options.insert(options.end(), more.begin(), more.end());
    return options;
}

/// A registry, members and clients in separate processes, in a temporary directory.
///
/// At the end no process may have ended by itself, and none may have written a sanitizer report, an
/// assertion or an error event to its stderr. Processes that still run are killed.
class Stage : public testing::Test {
public:
    Stage();
    ~Stage() override = default;

protected:
    void TearDown() override;

    /// Starts the registry and waits until it is ready; again on the same port and directory.
    Process& start_registry(Options more = {});
    /// Starts it without waiting.
    Process& spawn_registry(Options more = {});
    Process& registry() { return *registry_; }
    void kill_registry();
    /// Its address, also while it is away.
    [[nodiscard]] const std::string& registry_address() const { return registry_address_; }
    /// For a registry that the test starts itself; with several nodes, separated by commas.
    void set_registry_address(std::string address) { registry_address_ = std::move(address); }
    [[nodiscard]] std::string data() const { return data_; }
    void set_data(std::string directory) { data_ = std::move(directory); }

    /// A member of service Foo that publishes Ticks and answers append(), with a long lease.
    Process& start_member(const std::string& name, Options more = {});
    /// The same, and waits until it has the role.
    Process& start_member_as(std::string_view role, const std::string& name, Options more = {});
    /// A client of Foo that is subscribed to Ticks.
    Process& start_client(const std::string& name, Options more = {});
    /// Prints every change of the services, or of one.
    Process& start_watcher(const std::string& family = "Foo", Options more = {});

    Process& spawn(const std::string& name, Command command);
    /// Runs `understudy ARGUMENTS... --registry ADDRESS` to its end; questions about services have
    /// no time limit.
    Finished understudy(std::vector<std::string> arguments);
    /// The same for commands that do not ask a registry.
    Finished understudy_alone(std::vector<std::string> arguments);

    /// Options for all processes that are started from now on: TLS, insecure.
    void set_common_options(Options options) { common_ = std::move(options); }
    /// Environment of all processes that are started from now on.
    void set_common_environment(std::vector<std::string> variables) {
        environment_ = std::move(variables);
    }
    /// Precedes the registry's own command line: a shell that limits it.
    void wrap_registry(std::vector<std::string> wrapper) { wrapper_ = std::move(wrapper); }
    /// The network namespace for members, clients and registry from now on; -1: that of the test.
    void set_network(int network) { network_ = network; }

    /// What the members of this test have appended, in order.
    struct Appended {
        std::string id;
        std::string member;
        std::uint64_t epoch;
    };
    [[nodiscard]] std::vector<Appended> appended() const;

    /// Reports each fault in the outcomes of that client's calls. Requires: it has ended.
    void check_calls(const Process& client) const;
    /// Asks a client or a member to end, and waits for it.
    static void end(Process& client);

    /// Members may write these words at the end.
    void allow_in_errors(const std::string& words) { allowed_.insert(words); }

    [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }

    std::string listen_host = "127.0.0.1";

private:
    TemporaryDirectory directory_;
    std::string data_;
    std::string registry_address_;
    Process* registry_ = nullptr;
    Options common_;
    std::vector<std::string> environment_;
    std::vector<std::string> wrapper_;
    int network_ = -1;
    std::map<std::string, int> starts_;
    std::set<std::string> allowed_;
    std::list<Process> processes_;
};

/// Reports each fault in what that client received of Ticks (checks.h).
void check_ticks(const Process& client);
/// The same for the services that a watcher printed.
void check_services(const Process& watcher);
/// The outcomes of the calls of a client.
[[nodiscard]] std::vector<Line> outcomes(const Process& client);

}  // namespace understudy::process
