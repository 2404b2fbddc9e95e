#pragma once

#include <string>
#include <vector>

#include "tests/scenario/stage.h"

namespace understudy::scenario {

/// One node of a registry of several, as the program runs it.
struct NodeApp {
    NodeApp(Runtime& runtime, Log& log, const std::string& name, const std::string& directory,
            const std::vector<registry::Node>& founders);
    bool opened = false;
    bool failed = false;
    std::optional<Error> refusal;
    std::unique_ptr<node::RegistryServer> server;
};

/// A simulated platform whose registry has three nodes: r1, r2, r3, each on a host of that name.
class NodesStage {
public:
    explicit NodesStage(std::uint64_t seed = 1);

    /// Starts all three and waits until one serves.
    void start_registry();
    sim::Process& start_node(const std::string& name);
    sim::Process& start_member(const std::string& name, MemberPlan plan = {.member = {}});
    sim::Process& start_client(const std::string& host);

    [[nodiscard]] NodeApp& node(const std::string& name) { return process(name).app<NodeApp>(); }
    [[nodiscard]] sim::Process& process(const std::string& name) {
        return world.node(name).process(name);
    }
    /// The node that serves; empty if none does, or more than one.
    [[nodiscard]] std::string serving();
    [[nodiscard]] const registry::State& state() { return node(serving()).server->state(); }
    [[nodiscard]] const registry::Service* service() {
        return serving().empty() ? nullptr : state().find("Foo");
    }
    [[nodiscard]] std::string active();
    [[nodiscard]] std::vector<std::string> line();

    bool until(const std::function<bool()>& done, Duration limit = 15s) {
        return world.run_until(done, limit);
    }
    /// Waits until a node serves that is not this one.
    bool until_served_without(const std::string& name, Duration limit = 15s) {
        return until([&] { return !serving().empty() && serving() != name; }, limit);
    }
    [[nodiscard]] std::vector<Address> addresses() const;

    const SeedLine seed_line;
    sim::World world;
    std::vector<registry::Node> founders;
    std::map<std::string, std::string> directories;  ///< By node; a new directory is a new disk.
};

}  // namespace understudy::scenario
