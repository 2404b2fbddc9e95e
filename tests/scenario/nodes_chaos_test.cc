// A registry of three nodes under random faults while members fail over. The oracle of the swarm
// checks it: one active member per epoch, epochs that only grow, no gap in records, each call at
// most once, and recovery when the faults end.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/scenario/nodes_stage.h"
#include "tests/swarm/apps.h"
#include "tests/swarm/oracle.h"

namespace understudy::scenario {
namespace {

constexpr Duration chaos = 30s;
constexpr Duration settle = 5s;
constexpr Duration heal_limit = 60s;

class Chaos {
public:
    explicit Chaos(std::uint64_t seed) : plan_(seed ^ 0xc4a05ULL), stage_(seed) {
        sim::World& world = stage_.world;
        stage_.start_registry();
        const auto addresses = stage_.addresses();
        const Duration lease = plan_.between(1s, 2s);
        const auto policy =
            plan_.chance(1, 2) ? OnRegistryLoss::by_registry : OnRegistryLoss::keep;
        const auto plan_of = [&](const std::string& name) {
            return swarm::AgentPlan{.name = name,
                                    .host = "h" + name,
                                    .registry = addresses[0],  // It learns the others.
                                    .lease = lease,
                                    .on_registry_loss = policy,
                                    .switchover_every = switchovers_ ? 4s : 0s,
                                    .chaos = &chaotic_};
        };
        for (int i = 1; i <= 3; ++i) {
            const auto plan = plan_of(fmt::format("Bar{}", i));
            hosts_.push_back(plan.host);
            members_.push_back(&world.add_node(plan.host).start(
                plan.name, [this, plan](Runtime& runtime, Log& log) {
                    return std::make_unique<swarm::MemberApp>(runtime, log, oracle_, plan);
                }));
        }
        for (int i = 1; i <= 2; ++i) {
            const auto plan = plan_of(fmt::format("client{}", i));
            hosts_.push_back(plan.host);
            clients_.push_back(&world.add_node(plan.host).start(
                plan.name, [this, plan](Runtime& runtime, Log& log) {
                    return std::make_unique<swarm::ClientApp>(runtime, log, oracle_, plan,
                                                              next_call_);
                }));
        }
        for (const registry::Node& node : stage_.founders) hosts_.push_back(node.name);
    }

    void run() {
        schedule();
        stage_.world.run_for(chaos);
        heal();
        stage_.world.run_for(settle);
        const bool healed = stage_.world.run_until([this] { return healthy(); }, heal_limit);
        if (!healed) oracle_.broken("not healed: " + describe());
        const std::uint64_t grants = oracle_.grants();
        stage_.world.run_for(8s);
        if (oracle_.grants() != grants) {
            oracle_.broken("the role moved although nothing failed any more");
        }
        oracle_.finish();
    }

    [[nodiscard]] const swarm::Oracle& oracle() const { return oracle_; }
    [[nodiscard]] std::uint64_t tenures() const { return tenures_; }
    [[nodiscard]] std::string tail() const { return stage_.world.trace_tail(); }

private:
    void schedule() {
        stage_.world.after(plan_.between(50ms, 2500ms), [this] {
            if (!chaotic_) return;
            break_something();
            schedule();
        });
    }

    void restart_later(sim::Process& process) {
        stage_.world.after(plan_.between(1ms, 3s), [&process] {
            if (!process.alive()) process.restart();
        });
    }

    void break_something() {
        sim::World& world = stage_.world;
        const registry::Node& some = stage_.founders[plan_.below(3)];
        const std::string serving = stage_.serving();
        sim::Process& node =
            stage_.process(plan_.chance(1, 2) && !serving.empty() ? serving : some.name);
        const std::string& a = hosts_[plan_.below(hosts_.size())];
        const std::string& b = hosts_[plan_.below(hosts_.size())];
        ++tenures_;
        switch (plan_.below(8)) {
            case 0:
            case 1:
                if (!node.alive()) return;
                if (plan_.chance(1, 3)) {
                    node.crash_at_disk_call(plan_.between(1, 30));
                    world.after(2s, [this, &node] {
                        if (!node.alive()) restart_later(node);
                    });
                    return;
                }
                node.crash();
                return restart_later(node);
            case 2: {
                sim::Process& member = *members_[plan_.below(members_.size())];
                if (!member.alive()) return;
                member.crash();
                return restart_later(member);
            }
            case 3: {
                sim::Process& victim =
                    plan_.chance(1, 2) ? node : *members_[plan_.below(members_.size())];
                if (!victim.alive() || victim.paused()) return;
                victim.pause();
                world.after(plan_.between(10ms, 4s), [&victim] {
                    if (victim.alive() && victim.paused()) victim.resume();
                });
                return;
            }
            case 4:
            case 5:
                if (a == b) return;
                if (plan_.chance(1, 3)) {
                    world.isolate(a);
                } else if (plan_.chance(1, 2)) {
                    world.cut_one_way(a, b);
                } else {
                    world.cut(a, b);
                }
                world.after(plan_.between(50ms, 5s), [this] { stage_.world.heal_network(); });
                return;
            case 6:
                (void)world.reset_connections(a, b);
                return;
            default: {
                if (!node.alive() || node.paused()) return;
                // An orderly end: it transfers the role first.
                node.app<NodeApp>().server->close([] {});
                world.after(1500ms, [this, &node] {
                    if (node.alive()) node.crash();
                    restart_later(node);
                });
                return;
            }
        }
    }

    void heal() {
        chaotic_ = false;
        stage_.world.heal_network();
        stage_.world.run_for(2s);  // Nodes that are ending get time to end.
        for (const auto& host : stage_.world.nodes()) {
            for (const auto& process : host->processes()) {
                process->crash_at_disk_call(0);
                if (!process->alive()) {
                    restart_later(*process);
                } else if (process->paused()) {
                    process->resume();
                }
            }
        }
    }

    [[nodiscard]] bool healthy() {
        const registry::Service* service = stage_.service();
        const registry::Member* active = service == nullptr ? nullptr : service->active_member();
        if (active == nullptr || service->line.size() != members_.size()) return false;
        for (sim::Process* member : members_) {
            if (!member->alive()) return false;
            const auto& app = member->app<swarm::MemberApp>();
            if (!app.registered()) return false;
            if (app.active() != (app.incarnation() == active->incarnation)) return false;
        }
        for (sim::Process* client : clients_) {
            const auto& app = client->app<swarm::ClientApp>();
            if (!app.in_sync() || app.status().member != active->name) return false;
        }
        for (const registry::Node& node : stage_.founders) {
            if (!stage_.process(node.name).alive()) return false;
            const auto& state = stage_.node(node.name).server->state();
            if (state.hash() != stage_.state().hash()) return false;
        }
        return true;
    }

    [[nodiscard]] std::string describe() {
        std::string out = "serving " + stage_.serving();
        for (const registry::Node& node : stage_.founders) {
            sim::Process& process = stage_.process(node.name);
            out += fmt::format("; {} {}", node.name,
                               !process.alive()                ? "dead"
                               : process.app<NodeApp>().failed ? "failed"
                               : process.app<NodeApp>().refusal
                                   ? to_string(*process.app<NodeApp>().refusal)
                               : process.app<NodeApp>().server->serving() ? "serves"
                                                                          : "stands by");
        }
        if (const registry::Service* service = stage_.service()) {
            out += fmt::format("; line {} epoch {}", service->line.size(), service->epoch.value);
        }
        for (sim::Process* member : members_) {
            out += fmt::format("; {} {}", member->name(),
                               !member->alive()                               ? "dead"
                               : member->app<swarm::MemberApp>().active()     ? "active"
                               : member->app<swarm::MemberApp>().registered() ? "standby"
                                                                              : "unregistered");
        }
        return out;
    }

    Random plan_;
    const bool switchovers_ = true;
    bool chaotic_ = true;
    std::uint64_t tenures_ = 0;
    std::uint64_t next_call_ = 0;
    swarm::Oracle oracle_;
    std::vector<std::string> hosts_;
    std::vector<sim::Process*> members_;
    std::vector<sim::Process*> clients_;
    NodesStage stage_;  // Last: its processes call the oracle until the end.
};

class NodesChaos : public testing::TestWithParam<std::uint64_t> {};

TEST_P(NodesChaos, KeepsEveryPromise) {
    Chaos run(GetParam());
    run.run();
    for (const std::string& violation : run.oracle().violations()) ADD_FAILURE() << violation;
    EXPECT_GT(run.oracle().calls_done(), 0u);
    if (HasFailure()) GTEST_LOG_(INFO) << run.tail();
}

INSTANTIATE_TEST_SUITE_P(Seeds, NodesChaos, testing::Range<std::uint64_t>(1, 25));

}  // namespace
}  // namespace understudy::scenario
