#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/world.h"
#include "tests/contract/disk_contract.h"
#include "tests/contract/host_contract.h"
#include "tests/contract/network_contract.h"
#include "tests/contract/runtime_contract.h"
#include "tests/contract/worker_contract.h"

namespace understudy::contract {
namespace {

/// Hosts of one simulated world; the test itself is the program of each.
class SimHarness final : public Harness {
public:
    SimHarness(std::size_t nodes, sim::WorldOptions options, std::optional<TlsOptions> tls)
        : world_(std::move(options)), tls_(std::move(tls)) {
        for (std::size_t i = 0; i < nodes; ++i) {
            sim::Node& node = world_.add_node("h" + std::to_string(i));
            programs_.push_back(&node.start("program", idle));
        }
    }

    Runtime& node(std::size_t index) override { return programs_.at(index)->runtime(); }
    Address address(std::size_t index) override { return {"h" + std::to_string(index), 0}; }
    std::optional<TlsOptions> tls() override { return tls_; }
    std::string directory(std::size_t index) override {
        US_ASSERT(programs_.at(index)->node().disk().make_directory("/data"));
        return "/data";
    }

    bool run_until(const std::function<bool()>& done, Duration limit) override {
        return world_.run_until(done, limit);
    }
    void pause(std::size_t index, bool paused) override {
        paused ? programs_.at(index)->pause() : programs_.at(index)->resume();
    }

    ProcessId start_process() override {
        const std::string name = "child" + std::to_string(children_.size());
        sim::Process& child = programs_.at(0)->node().start(name, idle);
        children_.emplace(child.id(), &child);
        return child.id();
    }
    void kill_process(const ProcessId& process) override { children_.at(process)->crash(); }

private:
    struct Nothing {};
    static std::unique_ptr<Nothing> idle(Runtime&, Log&) { return std::make_unique<Nothing>(); }

    sim::World world_;
    const std::optional<TlsOptions> tls_;
    std::vector<sim::Process*> programs_;
    std::map<ProcessId, sim::Process*> children_;
};

std::unique_ptr<Harness> make_sim(std::size_t nodes) {
    return std::make_unique<SimHarness>(nodes, sim::WorldOptions{.seed = 1}, std::nullopt);
}

std::unique_ptr<Harness> make_sim_with_tls(std::size_t nodes) {
    return std::make_unique<SimHarness>(
        nodes, sim::WorldOptions{.seed = 2},
        TlsOptions{"/tls/node.pem", "/tls/node.key", "/tls/ca.pem"});
}

// An unpleasant but correct network and clock must not change any promise.
std::unique_ptr<Harness> make_unpleasant_sim(std::size_t nodes) {
    sim::WorldOptions options{.seed = 3};
    options.network.split_rate = 900'000;
    options.network.tail_rate = 100'000;
    options.network.tail_max = 5ms;
    options.network.window_bytes = 20'000;
    options.clock = {.offset_max = 1000s, .drift_ppm_max = 20'000, .wall_offset_max = 3600s};
    options.process.turn_max = 100us;
    return std::make_unique<SimHarness>(nodes, std::move(options), std::nullopt);
}

const auto sims = testing::Values(Implementation{"sim", &make_sim},
                                  Implementation{"sim with TLS", &make_sim_with_tls},
                                  Implementation{"unpleasant sim", &make_unpleasant_sim});

INSTANTIATE_TEST_SUITE_P(Sim, RuntimeContract, sims);
INSTANTIATE_TEST_SUITE_P(Sim, TurnEndContract, sims);
INSTANTIATE_TEST_SUITE_P(Sim, WorkerContract, sims);
INSTANTIATE_TEST_SUITE_P(Sim, NetworkContract, sims);
INSTANTIATE_TEST_SUITE_P(Sim, LocalNetworkContract, sims);
INSTANTIATE_TEST_SUITE_P(Sim, DiskContract, sims);
INSTANTIATE_TEST_SUITE_P(Sim, HostContract, sims);
INSTANTIATE_TEST_SUITE_P(Sim, WatchContract, sims);

}  // namespace
}  // namespace understudy::contract
