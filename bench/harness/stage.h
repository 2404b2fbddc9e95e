#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/harness/bench.h"
#include "bench/harness/child.h"
#include "bench/harness/place.h"
#include "understudy/types.h"

namespace understudy::bench {

/// A registry in its own process.
struct RegistryProcess {
    Child process;
    std::string address;

    /// Returns when it serves; its directory is in `place`.
    [[nodiscard]] static Result<RegistryProcess> start(const Bench& bench, const Place& place,
                                                       const std::string& host = "127.0.0.1",
                                                       int network = -1);
};

/// A member of the service in its own process: the helper program `bench_member`.
class MemberProcess {
public:
    struct Options {
        std::string member;
        std::string family = "Bench";
        Duration lease = 1s;
        /// How often it publishes: an active member that was stopped sends as soon as it resumes.
        Duration tick = 5ms;
        std::string host = "127.0.0.1";  ///< Where it listens.
        int network = -1;                ///< As Child::Options::network.
    };

    /// Starts it; wait_role() returns when it is in the line.
    [[nodiscard]] static Result<MemberProcess> start(const Bench& bench, const Place& place,
                                                     std::string_view registry, Options options);

    /// Reads its output until it has this role. Errors: closed, timed_out (none).
    [[nodiscard]] Result<void> wait_role(Role role, Duration limit = 10s);

    [[nodiscard]] const std::string& name() const { return options_.member; }
    [[nodiscard]] const Options& options() const { return options_; }
    [[nodiscard]] Child& process() { return child_; }

private:
    MemberProcess(Options options, Child child)
        : options_(std::move(options)), child_(std::move(child)) {}

    Options options_;
    Child child_;
};

/// A registry process with its own directory, and the processes of two members of one service.
///
/// members()[0] and [1] keep their places in the vector; the active one changes.
class Stage {
public:
    struct Options {
        Duration lease = 1s;
        std::string registry_host = "127.0.0.1";
        int registry_network = -1;
        std::vector<MemberProcess::Options> members = {{.member = "A"}, {.member = "B"}};
    };

    /// Returns with the first member active and the second standby.
    [[nodiscard]] static Result<Stage> set(const Bench& bench, const Options& options);

    [[nodiscard]] const std::string& registry() const { return registry_.address; }
    [[nodiscard]] std::vector<MemberProcess>& members() { return members_; }
    [[nodiscard]] const Place& place() const { return place_; }
    /// A new process with the name of a member whose process has gone.
    [[nodiscard]] Result<void> restart(const Bench& bench, std::size_t member);

private:
    Stage(Place place, RegistryProcess registry)
        : place_(std::move(place)), registry_(std::move(registry)) {}

    Place place_;  // First, because the processes must end before their directory is removed.
    RegistryProcess registry_;
    std::vector<MemberProcess> members_;
};

}  // namespace understudy::bench
