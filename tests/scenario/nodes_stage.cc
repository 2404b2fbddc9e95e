#include "tests/scenario/nodes_stage.h"

#include <utility>

#include "raft/raft_core.h"

namespace understudy::scenario {

namespace {

}  // namespace

NodeApp::NodeApp(Runtime& runtime, Log& log, const std::string& name, const std::string& directory,
                 const std::vector<registry::Node>& founders) {
    node::RegistryServer::Options options;
    options.listen = {name, registry_port};
    options.directory = directory;
    options.segment_size_bytes = 256 * KiB;
    options.tenure.name = name;
    options.tenure.platform = "stage";
    options.several.emplace();
    options.several->founders = founders;
    options.several->address = {name, registry_port};
    options.several->make_core = raft::make_core;
    server = std::make_unique<node::RegistryServer>(runtime, log, std::move(options),
                                                    [this](const Result<void>& result) {
                                                        opened = static_cast<bool>(result);
                                                        if (!result) refusal = result.error();
                                                    });
    server->on_failed([this](const Error&) { failed = true; });
}

NodesStage::NodesStage(std::uint64_t seed) : seed_line(seed), world({.seed = seed}) {
    for (const char* name : {"r1", "r2", "r3"}) {
        founders.push_back({name, {name, registry_port}});
        directories[name] = "/data";
        (void)world.add_node(name);
    }
}

sim::Process& NodesStage::start_node(const std::string& name) {
    bool known = false;
    for (const auto& host : world.nodes()) known = known || host->name() == name;
    if (!known) (void)world.add_node(name);
    if (!directories.contains(name)) directories[name] = "/data";
    return world.node(name).start(name, [this, name](Runtime& runtime, Log& log) {
        return std::make_unique<NodeApp>(runtime, log, name, directories[name], founders);
    });
}

void NodesStage::start_registry() {
    for (const registry::Node& node : founders) (void)start_node(node.name);
    US_ASSERT(until([this] { return !serving().empty(); }));
}

sim::Process& NodesStage::start_member(const std::string& name, MemberPlan plan) {
    plan.member = name;
    plan.registry = addresses();
    const std::string host = "n" + name;
    return world.add_node(host).start(name, [host, plan](Runtime& runtime, Log& log) {
        return std::make_unique<MemberApp>(runtime, log, host, plan);
    });
}

sim::Process& NodesStage::start_client(const std::string& host) {
    return world.add_node(host).start(
        "client", [host, registry = addresses()](Runtime& runtime, Log& log) {
            return std::make_unique<ClientApp>(runtime, log, host, std::string(), registry);
        });
}

std::vector<Address> NodesStage::addresses() const {
    std::vector<Address> all;
    for (const registry::Node& node : founders) all.push_back(node.address);
    return all;
}

std::string NodesStage::serving() {
    std::string found;
    for (const auto& host : world.nodes()) {
        if (!host->name().starts_with('r')) continue;
        sim::Process& one = process(host->name());
        if (!one.alive() || !one.app<NodeApp>().server->serving()) continue;
        if (!found.empty()) return {};
        found = host->name();
    }
    return found;
}

std::string NodesStage::active() {
    const registry::Service* found = service();
    const registry::Member* member = found == nullptr ? nullptr : found->active_member();
    return member == nullptr ? "" : member->name;
}

std::vector<std::string> NodesStage::line() {
    std::vector<std::string> names;
    const registry::Service* found = service();
    if (found == nullptr) return names;
    for (const auto& [order, member] : found->line) names.push_back(member.name);
    return names;
}

}  // namespace understudy::scenario
