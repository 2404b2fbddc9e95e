#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/seed_line_test.h"
#include "client/agent.h"
#include "node/registry/registry_server.h"
#include "record/draft.h"
#include "record/mirror.h"
#include "sim/world.h"

namespace understudy::scenario {

inline constexpr std::uint16_t registry_port = 22222;

/// A registry, as in the program.
struct RegistryApp {
    /// With a backup, the directory begins with it, and nothing is served.
    RegistryApp(Runtime& runtime, Log& log, const std::string& directory,
                std::optional<Buffer> backup = {});
    bool serving = false;
    std::optional<Error> refusal;
    std::unique_ptr<node::RegistryServer> server;
};

struct MemberPlan {
    std::string member;
    std::string family = "Foo";
    Redundancy redundancy = Redundancy::fault_tolerant;
    OnRegistryLoss on_registry_loss = OnRegistryLoss::keep;
    Duration lease = 1s;
    std::vector<Address> registry = {{"r", 22222}};
};

/// A member that records its events, publishes its name, and answers "who".
class MemberApp final : public client::AgentObserver, public client::MemberObserver {
public:
    MemberApp(Runtime& runtime, Log& log, const std::string& host, const MemberPlan& plan);

    void publish(std::int64_t n);
    [[nodiscard]] Role role() const { return member->role().role(); }

    std::vector<std::string> heard;  ///< "active 1", "standby 1", "refused already_exists"
    std::uint64_t calls = 0;
    bool hold_answers = false;
    std::vector<client::CallToken> held;
    std::unique_ptr<client::Agent> agent;
    client::Member* member = nullptr;

private:
    void registry_changed(bool, const std::string&) override {}
    void service_changed(const std::string&) override {}
    void role_changed(Role role, Epoch epoch) override;
    void registered(std::uint64_t) override {}
    void refused(const Error& reason) override;
    void call(client::CallToken token, std::string_view name, Bytes arguments,
              TimePoint deadline) override;
    void call_abandoned(client::CallToken) override {}
    void subscriptions_changed(std::string_view, std::size_t, std::size_t) override {}
    void clients_changed(std::size_t) override {}
    std::optional<Error> permit(std::string_view, std::string_view) override { return {}; }

    const MemberPlan plan_;
    record::Draft draft_;
    record::RecordId record_;
};

/// A client that records its events.
class ClientApp final : public client::AgentObserver, public client::ProxyObserver {
public:
    ClientApp(Runtime& runtime, Log& log, const std::string& host, const std::string& member = {},
              std::vector<Address> registry = {{"r", 22222}});
    ~ClientApp() override;

    /// Calls "who"; the outcome is appended to `outcomes`.
    void call(Duration patience);

    std::vector<std::string> shown;     ///< Publisher's name at each image, e.g. "Bar1"
    std::vector<std::string> statuses;  ///< "to Bar1 1", "off"
    std::vector<Result<Buffer>> outcomes;
    std::vector<Duration> took;
    record::Mirror mirror;
    client::ProxyStatus status;
    std::unique_ptr<client::Agent> agent;
    std::unique_ptr<client::Proxy> proxy;
    std::optional<Result<wire::pb::Answer>> answer;

private:
    void registry_changed(bool, const std::string&) override {}
    void service_changed(const std::string&) override {}
    void status_changed(const client::ProxyStatus& status) override;
    void record_event(const record::Event& event) override;
    void call_finished(CallId call, Result<Buffer> outcome) override;
    void records_named(const record::Names&) override {}
    void rpcs_named(const record::Names&) override {}

    Runtime& runtime_;
    std::map<CallId, TimePoint> begun_;
};

/// A simulated platform without faults of its own; the scenario adds them.
///
/// The registry is on "r", each member and client on the host that the test names.
class Stage {
public:
    explicit Stage(std::uint64_t seed = 1);

    sim::Process& start_registry();
    sim::Process& start_member(const std::string& node, const MemberPlan& plan);
    sim::Process& start_member(const std::string& node, const std::string& member) {
        return start_member(node, MemberPlan{.member = member});
    }
    sim::Process& start_client(const std::string& node, const std::string& name,
                               const std::string& member = {});

    [[nodiscard]] RegistryApp& registry() {
        return world.node("r").process("registry").app<RegistryApp>();
    }
    [[nodiscard]] const registry::Service& service(const std::string& family = "Foo") {
        const auto* found = registry().server->state().find(family);
        US_ASSERT(found != nullptr);
        return *found;
    }
    [[nodiscard]] std::string active(const std::string& family = "Foo");
    [[nodiscard]] std::vector<std::string> line(const std::string& family = "Foo");
    bool until(const std::function<bool()>& done, Duration limit = 10s) {
        return world.run_until(done, limit);
    }

    const SeedLine seed_line;
    sim::World world;
    /// What `understudy registry backup` writes, and what `restore` makes of it in another
    /// directory.
    [[nodiscard]] Buffer backup();
    void restore(const Buffer& backup, const std::string& into);
    std::string directory = "/data";

private:
    sim::Node& node(const std::string& name);
};

}  // namespace understudy::scenario
