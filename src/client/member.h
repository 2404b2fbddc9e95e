#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/log.h"
#include "client/link.h"
#include "link/refusals.h"
#include "record/messages.h"
#include "record/publisher.h"
#include "role/member_machine.h"
#include "runtime/runtime.h"
#include "wire/control.pb.h"

namespace understudy::client {

/// Names one call that a member was asked to run, until it is answered.
using CallToken = Strong<struct CallTokenTag>;

struct MemberOptions {
    std::string family;
    std::string member;
    role::MemberMachine::Options role;
};

/// What a member's application hears. All on the loop; must not destroy the member.
class MemberObserver {
public:
    virtual ~MemberObserver() = default;
    virtual void role_changed(Role role, Epoch epoch) = 0;
    /// The registry has the member in line, at this place.
    virtual void registered(std::uint64_t order) = 0;
    /// The registry refuses the member; it is tried again after a while.
    virtual void refused(const Error& reason) = 0;
    /// Answer with Member::answer(). `arguments` lives as long as the call.
    virtual void call(CallToken token, std::string_view name, Bytes arguments,
                      TimePoint deadline) = 0;
    virtual void call_abandoned(CallToken token) = 0;  ///< Its caller's link is gone.
    virtual void subscriptions_changed(std::string_view record, std::size_t previous,
                                       std::size_t current) = 0;
    virtual void clients_changed(std::size_t clients) = 0;
    /// May this subscription be? Nullopt: yes.
    virtual std::optional<Error> permit(std::string_view record, std::string_view token) = 0;
};

/// One local member of a service: its role, its records, its calls, its clients' links.
///
/// Nothing leaves it as the active member's unless it may act: role, epoch and lease are checked
/// before each publication and each reply.
/// Thread: loop only. Bounds: `calls_max` calls in progress; links_max links.
class Member final : private record::Outlet {
public:
    static constexpr std::size_t calls_max = 65'536;
    static constexpr std::size_t links_max = 10'000;

    /// What a member needs from its agent.
    class Host {
    public:
        virtual ~Host() = default;
        virtual void member_drained(Member& member) = 0;
        /// Who is active, for redirects; epoch 0: nobody known.
        virtual wire::pb::ActiveHint active_hint(const std::string& family) = 0;
        virtual void member_heard_epoch(Member& member, Epoch epoch) = 0;
    };

    Member(Runtime& runtime, Log& log, MemberOptions options, MemberObserver& observer, Host& host);
    ~Member() override;

    [[nodiscard]] const std::string& family() const { return options_.family; }
    [[nodiscard]] const std::string& name() const { return options_.member; }
    [[nodiscard]] const role::MemberMachine& role() const { return role_; }
    [[nodiscard]] record::Publisher& publisher() { return publisher_; }
    [[nodiscard]] std::size_t clients() const { return links_.size(); }
    /// Acts as active now.
    [[nodiscard]] bool acting();

    // Records. Errors as in record::Publisher.
    [[nodiscard]] Result<record::RecordId> create(std::string_view name, Bytes image);
    [[nodiscard]] Result<void> commit(record::RecordId record, Bytes delta);
    [[nodiscard]] Result<void> remove(record::RecordId record);

    // Calls.
    void publish_rpc(std::string name);
    void unpublish_rpc(const std::string& name);
    /// The outcome of a call. Unknown tokens are ignored: the caller has gone.
    void answer(CallToken token, const Result<Bytes>& outcome);

    // From the agent.
    void registered(const wire::pb::Registered& registered, TimePoint sent);
    /// How many nodes the registry has: decides what its loss means.
    void registry_nodes(std::size_t nodes) { role_.set_registry_nodes(nodes); }
    void refused(const Error& reason);
    void granted(Role role, Epoch epoch, std::uint64_t order);
    void revoked(Epoch epoch);
    void heard_epoch(Epoch epoch);
    void renewed(TimePoint sent);
    void link_up();
    void link_lost();
    void drain();
    void beat() { (void)acting(); }

    // From the endpoint. The link's hello was for this member.
    [[nodiscard]] Result<wire::pb::Welcome> welcome(const wire::pb::Hello& hello);
    void link_added(LinkId id, Link& link);
    void link_message(LinkId id, wire::MessageType type, Bytes body);
    void link_drained(LinkId id);
    void link_gone(LinkId id);

    // What the next Register message says.
    [[nodiscard]] std::uint64_t order() const { return order_; }
    [[nodiscard]] const std::string& known_active() const { return known_active_; }
    void set_known_active(std::string member) { known_active_ = std::move(member); }

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
    link::Refusals refusals_;
    const MemberOptions options_;
    MemberObserver& observer_;
    Host& host_;
    role::MemberMachine role_;
    record::Publisher publisher_;
    std::map<LinkId, Client> links_;
    std::set<std::string> rpcs_;
    std::map<CallToken, Call> calls_;
    std::uint64_t token_last_ = 0;
    std::uint64_t order_ = 0;
    std::string known_active_;
    bool acting_ = false;
    Epoch acted_in_;  ///< The last tenure in which it acted.
    bool drain_told_ = false;
    std::unique_ptr<Timer> step_down_timer_;
    Buffer scratch_;
};

}  // namespace understudy::client
