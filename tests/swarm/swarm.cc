#include "tests/swarm/swarm.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "base/repeat_line_test.h"
#include "sim/world.h"
#include "tests/swarm/apps.h"
#include "tests/swarm/journal_swarm.h"
#include "tests/swarm/oracle.h"
#include "tests/swarm/rotten_disk.h"
#include "tests/swarm/sometimes.h"

namespace understudy::swarm {

namespace {

/// What the last faults started may still end a lease after they stopped.
constexpr Duration settle = 5s;
constexpr Duration calm = 8s;
constexpr Duration restart_max = 2s;

[[nodiscard]] sim::WorldOptions world_options(const SwarmOptions& options, const Faults& faults,
                                              Random& random) {
    sim::WorldOptions world;
    world.seed = options.seed;
    world.sink = options.sink;
    if (faults.delay) {
        world.network.tail_rate = static_cast<std::uint32_t>(random.between(100, 20'000));
        world.network.tail_max = random.between(5ms, 400ms);
    }
    if (faults.reset) {
        world.network.reset_rate = static_cast<std::uint32_t>(random.between(10, 2'000));
    }
    if (faults.drift) world.clock.drift_ppm_max = 9'000;  // Two clocks differ by up to 1.8 %.
    world.clock.offset_max = 1000s;
    world.clock.wall_offset_max = 3600s;
    return world;
}

/// With three nodes none comes back without data, and a sleeping one is no special case.
[[nodiscard]] Faults faults_of(const SwarmOptions& options) {
    Faults faults = draw_faults(options.seed);
    if (options.scene != Scene::nodes) {
        faults.rot = false;
        return faults;
    }
    faults.registry_emptied = false;
    if (faults.sleepy_registry) {
        faults.sleepy_registry = false;
        faults.gentle = true;
    }
    return faults;
}

/// One simulated platform and its faults.
class Cluster {
public:
    explicit Cluster(const SwarmOptions& options)
        : options_(options),
          plan_(options.seed ^ 0x5eedULL),
          faults_(faults_of(options)),
          world_(world_options(options, faults_, plan_)),
          rotten_(world_, sometimes_,
                  {.broken = [this](std::string what) { oracle_.broken(std::move(what)); },
                   .start_again =
                       [this](sim::Node& node) {
                           for (const auto& process : node.processes()) later_restart(*process);
                       }}) {
        sometimes_.listen(world_);
        world_.expect_error("registry.journal_failed");
        if (several()) {
            world_.expect_error("replicated.group_failed");
            world_.expect_error("replicated.node_failed");
        }
        build();
    }

    SwarmResult run();

private:
    using Node = sim::Node;
    using Process = sim::Process;

    void build();
    void start_registry(const std::string& host);
    [[nodiscard]] bool several() const { return options_.scene == Scene::nodes; }
    [[nodiscard]] std::vector<Address> further_nodes() const;
    /// The node of the registry that serves; null if none does.
    [[nodiscard]] RegistryApp* serving();
    [[nodiscard]] Process& any_registry() {
        return *registries_[registries_.size() == 1 ? 0 : plan_.below(registries_.size())];
    }
    void supervise();
    void break_something();
    void break_gently();
    void lull_registry();
    void check_promotion();
    void schedule_fault();
    void heal();
    [[nodiscard]] bool healthy();
    void check_healed();
    [[nodiscard]] std::string describe();
    [[nodiscard]] Process& any_process();
    [[nodiscard]] const std::string& any_node();
    void later_restart(Process& process);

    const SwarmOptions options_;
    Random plan_;
    const Faults faults_;
    Oracle oracle_;
    std::uint64_t next_call_ = 0;
    bool chaos_ = true;
    Sometimes sometimes_;
    sim::World world_;  // Its processes call the oracle until the end.
    RottenDisk rotten_;
    std::uint64_t registry_lives_ = 0;
    std::string directory_ = "/data";
    std::vector<std::string> node_names_;
    std::vector<registry::Node> founders_;  ///< Empty: the registry runs alone.
    std::vector<Process*> registries_;
    std::vector<Process*> members_;
    std::vector<Process*> clients_;
    std::uint64_t faults_done_ = 0;
    Epoch epoch_seen_;
};

void Cluster::build() {
    const auto add_node = [&](const std::string& name) -> Node& {
        node_names_.push_back(name);
        return world_.add_node(name);
    };
    const std::vector<std::string> hosts =
        several() ? std::vector<std::string>{"r", "r2", "r3"} : std::vector<std::string>{"r"};
    if (several()) {
        for (const std::string& host : hosts) founders_.push_back({host, {host, registry_port}});
    }
    for (const std::string& host : hosts) {
        (void)add_node(host);
        start_registry(host);
    }
    Node& home = world_.node("r");
    const std::uint64_t member_count = plan_.between(2, 4);
    const std::uint64_t client_count = plan_.between(1, 3);
    const Duration lease = plan_.chance(1, 2) ? 1s : plan_.between(200ms, 2s);
    const auto policy =
        plan_.chance(1, 3) ? OnRegistryLoss::step_down : OnRegistryLoss::keep;
    const bool compress = plan_.chance(1, 4);
    const std::size_t pad = faults_.big ? 30'000 : 0;
    const Duration switchover = faults_.switchovers ? 4s : 0s;
    for (std::uint64_t i = 1; i <= member_count; ++i) {
        const std::string name = fmt::format("Bar{}", i);
        Node& node = plan_.chance(1, 2) ? home : add_node(fmt::format("n{}", i));
        AgentPlan plan{.name = name,
                       .host = node.name(),
                       .registry = {"r", registry_port},
                       .further_nodes = further_nodes(),
                       .lease = lease,
                       .on_registry_loss = policy,
                       .compress = compress,
                       .epochs_are_final = !faults_.registry_emptied,
                       .pad_bytes = pad};
        members_.push_back(&node.start(name, [this, plan](Runtime& runtime, Log& log) {
            return std::make_unique<MemberApp>(runtime, log, oracle_, plan);
        }));
    }
    for (std::uint64_t i = 1; i <= client_count; ++i) {
        const std::string name = fmt::format("client{}", i);
        Node& node = plan_.chance(1, 3) ? home : add_node(fmt::format("c{}", i));
        AgentPlan plan{.name = name,
                       .host = node.name(),
                       .registry = {"r", registry_port},
                       .further_nodes = further_nodes(),
                       .compress = compress,
                       .epochs_are_final = !faults_.registry_emptied,
                       .switchover_every = switchover,
                       .chaos = &chaos_};
        clients_.push_back(&node.start(name, [this, plan](Runtime& runtime, Log& log) {
            return std::make_unique<ClientApp>(runtime, log, oracle_, plan, next_call_);
        }));
    }
}

void Cluster::start_registry(const std::string& host) {
    registries_.push_back(
        &world_.node(host).start("registry", [this, host](Runtime& runtime, Log& log) {
            return std::make_unique<RegistryApp>(runtime, log, host, directory_, founders_);
        }));
}

std::vector<Address> Cluster::further_nodes() const {
    std::vector<Address> all;
    for (std::size_t i = 1; i < founders_.size(); ++i) all.push_back(founders_[i].address);
    return all;
}

RegistryApp* Cluster::serving() {
    // With several nodes, one that was stopped may still consider itself active: the newest tenure
    // counts.
    RegistryApp* found = nullptr;
    for (Process* process : registries_) {
        if (!process->alive() || !process->app<RegistryApp>().serving()) continue;
        RegistryApp& one = process->app<RegistryApp>();
        if (found == nullptr ||
            one.server().state().revision() > found->server().state().revision()) {
            found = &one;
        }
    }
    return found;
}

/// A supervisor per process: restarts it some time after it ended or died.
void Cluster::supervise() {
    for (Process* process : registries_) {
        if (!process->alive() || process->paused()) continue;
        if (process->app<RegistryApp>().server().tenure() != nullptr) rotten_.opened(*process);
        if (!process->app<RegistryApp>().ended()) continue;
        const auto& refusal = process->app<RegistryApp>().refusal();
        if (refusal && rotten_.ended(*process, *refusal)) {
            process->stop();
            continue;
        }
        if (refusal && refusal->code == Errc::corrupt) {
            oracle_.broken("the registry calls its own journal corrupt: " + to_string(*refusal));
        }
        process->stop();
        later_restart(*process);
    }
    world_.after(100ms, [this] { supervise(); });
}

void Cluster::later_restart(Process& process) {
    const Duration wait = plan_.between(1ms, restart_max);
    world_.after(wait, [this, &process] {
        if (process.alive()) return;
        if (!process.node().powered()) {
            if (chaos_) return later_restart(process);
            process.node().power_on();
        }
        process.restart();
    });
}

Cluster::Process& Cluster::any_process() {
    const std::uint64_t pick = plan_.below(4);
    if (pick == 0) return any_registry();
    if (pick == 1) return *clients_[plan_.below(clients_.size())];
    return *members_[plan_.below(members_.size())];
}

const std::string& Cluster::any_node() { return node_names_[plan_.below(node_names_.size())]; }

void Cluster::break_something() {
    std::vector<std::pair<const char*, std::function<void()>>> kinds;
    if (faults_.crash) {
        kinds.emplace_back("fault: crash", [this] {
            Process& victim = any_process();
            if (!victim.alive()) return;
            if (victim.name() == "registry" && plan_.chance(1, 2)) {
                victim.crash_at_disk_call(plan_.between(1, 30));
                // In either case it is started again.
                world_.after(3s, [this, &victim] {
                    if (!victim.alive()) later_restart(victim);
                });
                return;
            }
            victim.crash();
            later_restart(victim);
        });
    }
    if (faults_.pause) {
        kinds.emplace_back("fault: pause", [this] {
            Process& victim = any_process();
            if (!victim.alive() || victim.paused()) return;
            victim.pause();
            world_.after(plan_.between(10ms, 6s), [&victim] {
                if (victim.alive()) victim.resume();
            });
        });
    }
    if (faults_.cut || faults_.cut_one_way) {
        kinds.emplace_back("fault: cut", [this] {
            const std::string a = any_node();
            const std::string b = any_node();
            if (a == b) return;
            if (faults_.cut && (!faults_.cut_one_way || plan_.chance(1, 2))) {
                if (plan_.chance(1, 3)) {
                    world_.isolate(a);
                } else {
                    world_.cut(a, b);
                }
            } else {
                world_.cut_one_way(a, b);
            }
            world_.after(plan_.between(50ms, 8s), [this, a, b] {
                world_.heal(a, b);
                if (plan_.chance(1, 2)) world_.heal_network();
            });
        });
    }
    if (faults_.reset) {
        kinds.emplace_back("fault: reset",
                           [this] { (void)world_.reset_connections(any_node(), any_node()); });
    }
    if (faults_.power) {
        kinds.emplace_back("fault: power", [this] {
            Node& node = world_.node(any_node());
            if (!node.powered()) return;
            node.power_off();
            for (const auto& process : node.processes()) later_restart(*process);
            world_.after(plan_.between(10ms, 3s), [&node] {
                if (!node.powered()) node.power_on();
            });
        });
    }
    if (faults_.disk_error) {
        kinds.emplace_back("fault: disk error", [this] {
            sim::DiskOptions& disk = any_registry().node().disk().options();
            disk.sync_error_rate = 200'000;
            disk.write_error_rate = plan_.chance(1, 2) ? 100'000 : 0;
            world_.after(plan_.between(10ms, 1s), [&disk] {
                disk.sync_error_rate = 0;
                disk.write_error_rate = 0;
            });
        });
    }
    if (faults_.disk_full) {
        kinds.emplace_back("fault: disk full", [this] {
            sim::DiskStore& disk = any_registry().node().disk();
            disk.set_capacity(disk.used_bytes() + plan_.between(0, 100'000));
            world_.after(plan_.between(100ms, 10s), [&disk] { disk.set_capacity(GiB); });
        });
    }
    if (faults_.wall_jump) {
        kinds.emplace_back("fault: wall jump", [this] {
            const auto ms = static_cast<std::int64_t>(plan_.between(0, 7'200'000)) - 3'600'000;
            world_.node(any_node()).jump_wall(ms);
        });
    }
    if (faults_.slow) {
        kinds.emplace_back("fault: slow", [this] {
            Process& victim = any_process();
            if (!victim.alive()) return;
            victim.slow_down(plan_.between(100us, 30ms));
            world_.after(plan_.between(100ms, 3s), [&victim] { victim.slow_down(0ns); });
        });
    }
    if (faults_.registry_emptied) {
        kinds.emplace_back("fault: registry emptied", [this] {
            Process& registry = *registries_.front();
            if (!plan_.chance(1, 4) || !registry.alive()) return;
            registry.crash();
            directory_ = fmt::format("/data{}", ++registry_lives_);
            oracle_.registry_emptied();
            later_restart(registry);
        });
    }
    if (faults_.rot) {
        kinds.emplace_back("fault: rot", [this] {
            // All nodes know the group, so a node that returns without its disk is admitted again.
            for (Process* process : registries_) {
                if (!process->alive() || process->paused() || serving() == nullptr) return;
            }
            rotten_.flip_bit(any_registry(), directory_, plan_);
        });
    }
    if (kinds.empty()) return;
    ++faults_done_;
    const auto& [what, act] = kinds[plan_.below(kinds.size())];
    sometimes_.happened(what);
    act();
}

void Cluster::break_gently() {
    ++faults_done_;
    Process& victim = plan_.chance(1, 4) ? *clients_[plan_.below(clients_.size())]
                                         : *members_[plan_.below(members_.size())];
    if (!victim.alive()) return;
    victim.crash();
    later_restart(victim);
}

void Cluster::lull_registry() {
    ++faults_done_;
    Process& registry = *registries_.front();
    if (!registry.alive() || registry.paused()) return;
    registry.pause();
    world_.after(plan_.between(1s, 4s), [&registry] { registry.resume(); });
}

/// I2, if nothing hides it: the new active member is the first in line.
void Cluster::check_promotion() {
    if (!faults_.gentle && !faults_.sleepy_registry) return;
    RegistryApp* const registry = serving();
    if (registry == nullptr) return;
    const auto* service = registry->server().state().find(family);
    if (service == nullptr || service->epoch == epoch_seen_) return;
    epoch_seen_ = service->epoch;
    if (faults_.sleepy_registry && service->epoch > Epoch{1}) {
        oracle_.broken("I29: the registry's own sleep cost a member its role");
    }
    if (service->active != service->line.begin()->first && !faults_.switchovers) {
        oracle_.broken(fmt::format("I2: {} was promoted before {}", service->active_member()->name,
                                   service->line.begin()->second.name));
    }
}

void Cluster::schedule_fault() {
    const bool slow = faults_.gentle || faults_.sleepy_registry;
    const Duration wait = slow ? plan_.between(4s, 7s) : plan_.between(20ms, 2500ms);
    world_.after(wait, [this] {
        if (!chaos_) return;
        if (faults_.gentle) {
            break_gently();
        } else if (faults_.sleepy_registry) {
            lull_registry();
        } else {
            break_something();
        }
        schedule_fault();
    });
}

void Cluster::heal() {
    chaos_ = false;
    world_.heal_network();
    world_.network().tail_rate = 0;
    world_.network().reset_rate = 0;
    for (Process* registry : registries_) {
        sim::DiskStore& disk = registry->node().disk();
        disk.options().sync_error_rate = 0;
        disk.options().write_error_rate = 0;
        disk.set_capacity(GiB);
    }
    for (const auto& node : world_.nodes()) {
        if (!node->powered()) node->power_on();
        for (const auto& process : node->processes()) {
            process->crash_at_disk_call(0);
            process->slow_down(0ns);
            if (!process->alive()) {
                later_restart(*process);
            } else if (process->paused()) {
                process->resume();
            }
        }
    }
}

bool Cluster::healthy() {
    RegistryApp* const registry = serving();
    if (registry == nullptr) return false;
    const auto* service = registry->server().state().find(family);
    if (service == nullptr || service->active_member() == nullptr) return false;
    if (service->line.size() != members_.size()) return false;
    std::size_t active = 0;
    for (Process* member : members_) {
        if (!member->alive() || !member->app<MemberApp>().registered()) return false;
        if (member->app<MemberApp>().active()) {
            ++active;
            if (member->app<MemberApp>().incarnation() != service->active_member()->incarnation) {
                return false;
            }
        }
    }
    if (active != 1) return false;
    for (Process* process : clients_) {
        if (!process->alive()) return false;
        const ClientApp& client = process->app<ClientApp>();
        if (!client.in_sync() || client.status().member != service->active_member()->name) {
            return false;
        }
        if (client.mirror().epoch() != service->epoch) return false;
    }
    return true;
}

void Cluster::check_healed() {
    world_.run_for(settle);
    const bool healed = world_.run_until([this] { return healthy(); }, heal_limit);
    if (!healed) {
        oracle_.broken(fmt::format("L10: not healed within {} s: {}", heal_limit / 1s, describe()));
        return;
    }
    std::vector<std::uint64_t> calls;
    for (Process* client : clients_) calls.push_back(client->app<ClientApp>().calls_done());
    const std::uint64_t grants = oracle_.grants();
    world_.run_for(calm);
    if (oracle_.grants() != grants) {
        oracle_.broken("L8: the role moved although nothing failed any more");
    }
    if (!healthy()) oracle_.broken("L10: unhealthy again without a fault: " + describe());
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        if (clients_[i]->app<ClientApp>().calls_done() < calls[i] + 10) {
            oracle_.broken(fmt::format("L10: {} gets no answers", clients_[i]->name()));
        }
    }
}

std::string Cluster::describe() {
    std::string out;
    RegistryApp* const registry = serving();
    if (registry == nullptr) {
        out = "registry not serving";
        for (Process* process : registries_) {
            if (!process->alive() || !process->app<RegistryApp>().refusal()) continue;
            out += " (" + to_string(*process->app<RegistryApp>().refusal()) + ")";
        }
    } else if (const auto* service = registry->server().state().find(family)) {
        const auto* active = service->active_member();
        out = fmt::format("registry: active {} epoch {} line {} awaited '{}'",
                          active == nullptr ? "-" : active->name, service->epoch.value,
                          service->line.size(), service->awaited);
    }
    for (Process* member : members_) {
        out += fmt::format("; {} {}", member->name(),
                           !member->alive()                        ? "dead"
                           : member->app<MemberApp>().active()     ? "active"
                           : member->app<MemberApp>().registered() ? "standby"
                                                                   : "unregistered");
    }
    for (Process* process : clients_) {
        if (!process->alive()) {
            out += fmt::format("; {} dead", process->name());
            continue;
        }
        const ClientApp& client = process->app<ClientApp>();
        out += fmt::format("; {} {} {} epoch {} sync {}", process->name(),
                           client.status().connected ? "to" : "off", client.status().member,
                           client.mirror().epoch().value, client.mirror().in_sync());
    }
    return out;
}

SwarmResult Cluster::run() {
    supervise();
    schedule_fault();
    std::uint64_t events = 0;
    world_.after_every_event([this, &events] {
        // Expensive checks are made at intervals; what they look for does not disappear by itself.
        check_promotion();
        if (++events % 256 != 0) return;
        for (Process* process : registries_) {
            if (!process->alive()) continue;
            if (const auto* tenure = process->app<RegistryApp>().server().tenure()) {
                tenure->check_invariants();
            }
        }
    });
    const TimePoint begin = world_.now();
    world_.run_for(options_.chaos);
    heal();
    check_healed();
    oracle_.finish();

    SwarmResult result;
    result.violations = oracle_.violations();
    for (const std::string& error : world_.errors()) result.violations.push_back(error);
    result.repro = repro_of(options_);
    if (!result.violations.empty()) result.tail = world_.trace_tail();
    result.trace_hash = world_.trace_hash();
    result.events = world_.events();
    result.simulated = world_.now() - begin;
    result.promotions = oracle_.grants();
    result.calls_done = oracle_.calls_done();
    result.calls_refused = oracle_.calls_refused();
    result.calls_unknown = oracle_.calls_unknown();
    result.changes = oracle_.changes();
    result.faults = faults_done_;
    result.rare = sometimes_.counts();
    return result;
}

}  // namespace

Faults draw_faults(std::uint64_t seed) {
    Random random(seed * 0x9e3779b97f4a7c15ULL + 1);
    Faults faults;
    faults.big = random.chance(1, 4);
    // Most runs have many kinds of faults; some have few, so that more can be checked.
    switch (random.below(20)) {
        case 0:
            return faults;
        case 1:
        case 2:
            faults.gentle = true;
            return faults;
        case 3:
            faults.sleepy_registry = true;
            return faults;
        default:
            break;
    }
    for (bool Faults::*fault :
         {&Faults::crash, &Faults::pause, &Faults::cut, &Faults::cut_one_way, &Faults::reset,
          &Faults::delay, &Faults::power, &Faults::disk_error, &Faults::disk_full,
          &Faults::wall_jump, &Faults::drift, &Faults::slow, &Faults::registry_emptied,
          &Faults::switchovers, &Faults::rot}) {
        faults.*fault = random.chance(1, 2);
    }
    return faults;
}

std::string_view name(Scene scene) {
    switch (scene) {
        case Scene::platform:
            return "platform";
        case Scene::nodes:
            return "nodes";
        case Scene::shared:
            return "shared";
        case Scene::replicated:
            return "replicated";
    }
    US_ASSERT(false);
    return {};
}

std::string repro_of(const SwarmOptions& options) {
    return fmt::format("REPRO understudy-sim --scene={} --seed={} --chaos={}", name(options.scene),
                       options.seed, options.chaos / 1s);
}

SwarmResult run_swarm(const SwarmOptions& options) {
    const RepeatLine line(repro_of(options));
    if (options.scene == Scene::shared || options.scene == Scene::replicated) {
        return run_journal_swarm(options);
    }
    Cluster cluster(options);
    return cluster.run();
}

}  // namespace understudy::swarm
