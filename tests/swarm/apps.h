#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/agent.h"
#include "node/registry/registry_server.h"
#include "record/draft.h"
#include "record/mirror.h"
#include "runtime/runtime.h"
#include "tests/swarm/oracle.h"

namespace understudy::swarm {

inline constexpr std::uint16_t registry_port = 22222;
inline constexpr const char* family = "Foo";
inline constexpr const char* record_name = "data";

/// A registry as in `understudy registry`. It ends when its disk fails; a supervisor starts it
/// again.
class RegistryApp {
public:
    /// `founders`: the nodes of a registry of several; empty: it runs alone.
    RegistryApp(Runtime& runtime, Log& log, const std::string& host, const std::string& directory,
                const std::vector<registry::Node>& founders = {});

    [[nodiscard]] bool serving() const { return opened_ && server_->serving(); }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] const std::optional<Error>& refusal() const { return refusal_; }
    [[nodiscard]] const node::RegistryServer& server() const { return *server_; }

private:
    bool opened_ = false;
    bool ended_ = false;
    std::optional<Error> refusal_;
    std::unique_ptr<node::RegistryServer> server_;
};

/// The settings of all agents of a run.
struct AgentPlan {
    std::string name;
    std::string host;  ///< The host on which it runs.
    Address registry;
    std::vector<Address> further_nodes = {};  ///< Of the registry.
    Duration lease = 1s;
    OnRegistryLoss on_registry_loss = OnRegistryLoss::keep;
    bool compress = false;
    bool epochs_are_final = true;  ///< No registry of this run loses its data.
    std::size_t pad_bytes = 0;     ///< Added to each published change, to fill links.
    Duration switchover_every{};   ///< How often a client asks for one, on average; 0: never.
    const bool* chaos = nullptr;   ///< Only while this is true.
};

/// A member that publishes a record whose fields reveal any mixture of two writers or two moments,
/// and answers calls that show whether they ran.
class MemberApp final : private client::AgentObserver, private client::MemberObserver {
public:
    MemberApp(Runtime& runtime, Log& log, Oracle& oracle, AgentPlan plan);
    ~MemberApp() override;

    [[nodiscard]] bool active() const { return member_->role().role() == Role::active; }
    [[nodiscard]] std::int64_t published() const { return count_; }
    [[nodiscard]] Incarnation incarnation() const { return agent_->incarnation(); }
    [[nodiscard]] bool registered() const { return registered_; }

private:
    void publish();

    void registry_changed(bool, const std::string&) override {}
    void service_changed(const std::string&) override {}
    void role_changed(Role role, Epoch epoch) override;
    void registered(std::uint64_t) override { registered_ = true; }
    void refused(const Error& reason) override;
    void call(client::CallToken token, std::string_view name, Bytes arguments,
              TimePoint deadline) override;
    void call_abandoned(client::CallToken token) override { answers_.erase(token); }
    void subscriptions_changed(std::string_view, std::size_t, std::size_t) override {}
    void clients_changed(std::size_t) override {}
    std::optional<Error> permit(std::string_view, std::string_view) override { return {}; }

    Runtime& runtime_;
    Oracle& oracle_;
    const AgentPlan plan_;
    std::unique_ptr<client::Agent> agent_;
    client::Member* member_ = nullptr;
    record::Draft draft_;
    std::optional<record::RecordId> record_;
    std::int64_t count_ = 0;
    bool registered_ = false;
    std::unique_ptr<Timer> publish_timer_;
    std::unique_ptr<Timer> retry_timer_;
    std::map<client::CallToken, std::unique_ptr<Timer>> answers_;
};

/// A client that follows the service, checks every state that it gets, and makes calls.
class ClientApp final : private client::AgentObserver, private client::ProxyObserver {
public:
    /// `next_call` provides call numbers that are unique in the run.
    ClientApp(Runtime& runtime, Log& log, Oracle& oracle, AgentPlan plan, std::uint64_t& next_call);
    ~ClientApp() override;

    [[nodiscard]] bool in_sync() const { return status_.connected && mirror_.in_sync(); }
    [[nodiscard]] const client::ProxyStatus& status() const { return status_; }
    [[nodiscard]] const record::Mirror& mirror() const { return mirror_; }
    [[nodiscard]] std::uint64_t calls_done() const { return calls_done_; }
    [[nodiscard]] TimePoint done_last() const { return done_last_; }

private:
    void call_later();
    void switch_over_later();
    void check_order(const wire::pb::ServiceInfo& service);
    void make_call();
    void check_state(const RecordChange& change);

    void registry_changed(bool, const std::string&) override {}
    void service_changed(const std::string& name) override;
    void status_changed(const client::ProxyStatus& status) override;
    void record_event(const record::Event& event) override;
    void call_finished(CallId call, Result<Buffer> outcome) override;
    void records_named(const record::Names&) override {}
    void rpcs_named(const record::Names&) override {}

    Runtime& runtime_;
    Oracle& oracle_;
    const AgentPlan plan_;
    std::uint64_t& next_call_;
    std::unique_ptr<client::Agent> agent_;
    std::unique_ptr<client::Proxy> proxy_;
    SubscriptionId subscription_;
    client::ProxyStatus status_;
    record::Mirror mirror_;
    bool image_due_ = true;
    Revision revision_;
    std::uint64_t registry_id_ = 0;
    Epoch service_epoch_;
    std::map<CallId, std::uint64_t> calls_;
    std::uint64_t calls_done_ = 0;
    TimePoint done_last_;
    std::unique_ptr<Timer> call_timer_;
    std::unique_ptr<Timer> switchover_timer_;
    std::map<std::uint64_t, std::uint64_t> line_;  ///< Incarnation to order, as last seen.
    std::uint64_t order_max_ = 0;
};

}  // namespace understudy::swarm
