#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "base/eventually_test.h"
#include "runtime/runtime.h"

namespace understudy::contract {

/// A few hosts with the Runtime under test, one runtime for each. There is one harness per test;
/// the test destroys everything that it got from a host before the harness.
///
/// The cases know no implementation and never sleep: they wait with run_until(), on the clock of
/// the implementation.
class Harness {
public:
    virtual ~Harness() = default;

    /// Requires: index < the number of hosts.
    [[nodiscard]] virtual Runtime& node(std::size_t index) = 0;
    /// The address at which that host may listen, with port 0, and at which others find it.
    [[nodiscard]] virtual Address address(std::size_t index) = 0;
    /// The TLS options of all streams, if they are encrypted.
    [[nodiscard]] virtual std::optional<TlsOptions> tls() { return std::nullopt; }
    /// An empty directory on that host's disk.
    [[nodiscard]] virtual std::string directory(std::size_t index) = 0;

    /// Runs all hosts until `done` holds, or for `limit`. Returns whether it holds.
    [[nodiscard]] virtual bool run_until(const std::function<bool()>& done, Duration limit) = 0;
    /// The loop of a paused host does not run, as if its process were stopped; what is sent to it
    /// waits.
    virtual void pause(std::size_t index, bool paused) = 0;

    /// A process on the first host that does nothing until it is killed.
    [[nodiscard]] virtual ProcessId start_process() = 0;
    virtual void kill_process(const ProcessId& process) = 0;
};

struct Implementation {
    const char* name;
    std::unique_ptr<Harness> (*make)(std::size_t nodes);

    friend void PrintTo(const Implementation& implementation, std::ostream* out) {
        *out << implementation.name;
    }
};

/// The common base of the suites.
class ContractTest : public testing::TestWithParam<Implementation> {
protected:
    static constexpr Duration limit = patience;  ///< For events that must happen.
    static constexpr Duration settle = 50ms;     ///< For events that must not happen.

    explicit ContractTest(std::size_t nodes = 1) : harness_(GetParam().make(nodes)) {}

    [[nodiscard]] Runtime& node(std::size_t index = 0) { return harness_->node(index); }

    [[nodiscard]] bool run_until(const std::function<bool()>& done) {
        return harness_->run_until(done, limit);
    }
    void run_for(Duration time) {
        (void)harness_->run_until([] { return false; }, time);
    }

    /// Runs `body` as a task of that host.
    void on_loop(std::size_t index, const std::function<void()>& body) {
        bool done = false;
        node(index).post([&] {
            body();
            done = true;
        });
        US_ASSERT(run_until([&] { return done; }));
    }

    const std::unique_ptr<Harness> harness_;
};

}  // namespace understudy::contract
