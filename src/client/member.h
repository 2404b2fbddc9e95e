#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/log.h"
#include "client/directory.h"
#include "client/enrolment.h"
#include "client/link.h"
#include "record/messages.h"
#include "record/publisher.h"
#include "role/member_machine.h"
#include "runtime/runtime.h"

namespace understudy::client {

/// Identifies a call that a member runs, until it is answered.
using CallToken = Strong<struct CallTokenTag>;

struct MemberOptions {
    std::string family;
    std::string member;
    role::MemberMachine::Options role;
    /// A journal decides its role. Its owner tells it by granted(), and registers it.
    bool hosted = false;
};

/// What a member tells its application. All calls are on the loop, and must not destroy the member.
class MemberObserver {
public:
    virtual ~MemberObserver() = default;
    virtual void role_changed(Role role, Epoch epoch) = 0;
    /// The registry has the member in its line, at this place.
    virtual void registered(std::uint64_t order) = 0;
    /// The registry refuses the member, which tries again later.
    virtual void refused(const Error& reason) = 0;
    /// Answer with Member::answer(). `arguments` lives as long as the call.
    virtual void call(CallToken token, std::string_view name, Bytes arguments,
                      TimePoint deadline) = 0;
    virtual void call_abandoned(CallToken token) = 0;  ///< The caller's link is closed.
    virtual void subscriptions_changed(std::string_view record, std::size_t previous,
                                       std::size_t current) = 0;
    virtual void clients_changed(std::size_t clients) = 0;
    /// Whether this subscription is permitted. Nullopt: it is.
    virtual std::optional<Error> permit(std::string_view record, std::string_view token) = 0;
};

/// One local member of a service: its role, its records, its calls, its clients' links.
///
/// It publishes and replies as the active member only while it may act: role, epoch and lease are
/// checked each time.
/// Thread: loop only. Bounds: `calls_max` calls in progress; links_max links.
class Member final : private record::Outlet, private Enrolment::Applicant {
public:
    static constexpr std::size_t calls_max = 65'536;
    static constexpr std::size_t links_max = 10'000;

    /// What a member gets from its agent. It outlives the member.
    struct Host {
        Address advertised;  ///< Where clients reach the members of this agent.
        Directory& directory;
        RegistryPort& registry;
    };

    Member(Runtime& runtime, Log& log, MemberOptions options, MemberObserver& observer, Host host);
    ~Member() override;

    [[nodiscard]] const std::string& family() const { return options_.family; }
    [[nodiscard]] const std::string& name() const { return options_.member; }
    [[nodiscard]] const role::MemberMachine& role() const { return role_; }
    [[nodiscard]] record::Publisher& publisher() { return publisher_; }
    [[nodiscard]] std::size_t clients() const { return links_.size(); }
    /// Whether it acts as the active member now.
    [[nodiscard]] bool acting();

    // Records. Errors as in record::Publisher.
    [[nodiscard]] Result<record::RecordId> create(std::string_view name, Bytes image);
    [[nodiscard]] Result<void> commit(record::RecordId record, Bytes delta);
    [[nodiscard]] Result<void> remove(record::RecordId record);

    // Calls.
    void publish_rpc(std::string name);
    void unpublish_rpc(const std::string& name);
    /// Gives the outcome of a call. An unknown token is ignored: its caller has gone.
    void answer(CallToken token, const Result<Bytes>& outcome);

    // From the agent.
    void registry_up() { enrolment_.enter(); }
    void registry_down();
    void registered(const wire::pb::Registered& answer) { enrolment_.answered(answer); }
    void granted(const wire::pb::RoleGrant& grant);
    void granted(Role role, Epoch epoch, std::uint64_t order);
    void revoked(const wire::pb::Revoked& revoked);
    void drain(const wire::pb::Drain& drain);
    /// How many nodes the registry has. This decides what a member does when it is away.
    void registry_nodes(std::size_t nodes) { role_.set_registry_nodes(nodes); }
    /// The registry acknowledged a heartbeat that was sent at `sent`.
    void renewed(TimePoint sent);
    void beat() { (void)acting(); }
    /// The active member as far as it is known here. The registration says it, in case the registry
    /// has lost its data.
    void set_known_active(std::string member) { known_active_ = std::move(member); }

    // From the endpoint, for links whose hello names this member.
    [[nodiscard]] Result<wire::pb::Welcome> welcome(const wire::pb::Hello& hello);
    void link_added(LinkId id, Link& link);
    void link_message(LinkId id, wire::MessageType type, Bytes body);
    void link_drained(LinkId id);
    void link_gone(LinkId id);

private:
    struct Client {
        Link* link;
        bool wants_names = false;
    };
    struct Call {
        LinkId link;
        CallId call;
        record::Answer answer;
    };

    record::Flow send(LinkId link, wire::MessageType type, std::span<const Bytes> parts) override;
    void subscriptions_changed(std::string_view record, std::size_t previous,
                               std::size_t current) override;

    void describe(wire::pb::Register& wanted) override;
    void enrolled(const wire::pb::Registered& answer, TimePoint sent) override;
    void refused(const Error& reason) override { observer_.refused(reason); }

    void heard_epoch(Epoch epoch);
    [[nodiscard]] wire::pb::ActiveHint active_hint() const;
    void changed(const std::optional<role::MemberMachine::Change>& change);
    void update_acting(bool acting);
    void arm_step_down();
    void rpc_request(LinkId id, Client& client, Bytes body);
    void refuse_call(Client& client, CallId call, record::Answer answer, const Error& reason);
    void send_rpc_names(Client& client);
    void notice_role(bool draining);
    void check_drained();

    Runtime& runtime_;
    Log& log_;
    const MemberOptions options_;
    MemberObserver& observer_;
    const Host host_;
    Enrolment enrolment_;
    role::MemberMachine role_;
    record::Publisher publisher_;
    std::map<LinkId, Client> links_;
    std::set<std::string> rpcs_;
    std::map<CallToken, Call> calls_;
    std::uint64_t token_last_ = 0;
    std::uint64_t registry_id_ = 0;  ///< The registry that last had the member in its line.
    std::uint64_t order_ = 0;
    std::string known_active_;
    bool acting_ = false;
    Epoch acted_in_;  ///< The last tenure in which it acted.
    bool drain_told_ = false;
    std::unique_ptr<Timer> step_down_timer_;
    Buffer scratch_;
};

}  // namespace understudy::client
