#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "client/backoff.h"
#include "client/directory.h"
#include "client/link.h"
#include "client/target.h"
#include "link/refusals.h"
#include "record/calls.h"
#include "record/messages.h"
#include "runtime/runtime.h"

namespace understudy::client {

/// The member that a proxy is connected to.
struct ProxyStatus {
    bool connected = false;
    std::string member;
    Epoch epoch;
    Role role = Role::joining;  ///< Of the member. Active, unless the proxy is for a named member.
    /// Epochs of this member and of the last one can be compared: the lower one is stale.
    bool epochs_comparable = true;
    friend bool operator==(const ProxyStatus&, const ProxyStatus&) = default;
};

/// Calls to the proxy's owner, on the loop. They must not destroy the proxy.
class ProxyObserver {
public:
    virtual ~ProxyObserver() = default;
    virtual void status_changed(const ProxyStatus& status) = 0;
    /// Its bytes live as long as the call.
    virtual void record_event(const record::Event& event) = 0;
    virtual void call_finished(CallId call, Result<Buffer> outcome) = 0;
    virtual void records_named(const record::Names& names) = 0;
    virtual void rpcs_named(const record::Names& names) = 0;
};

/// The client's end of a service. It finds the active member, connects to the next one after a
/// failover, subscribes again, repeats calls that may be repeated, and ends the others with effect
/// unknown.
///
/// It ignores messages of a member whose epoch is below the highest one that it knows of.
/// Thread: loop only.
/// Bounds: subscriptions_max; those of CallTable.
class Proxy final : private Link::Observer {
public:
    struct Options {
        std::string family;
        std::string member;  ///< Empty: the active member.
        std::optional<TlsOptions> tls;
        Link::Options link;
        wire::pb::Hello hello;  ///< Family, member and epoch are filled in.
        Duration connect_timeout = 500ms;
        Duration retry_min = 2ms;
        Duration retry_max = 500ms;
    };

    Proxy(Runtime& runtime, Log& log, Options options, Directory& directory,
          ProxyObserver& observer);
    ~Proxy() override = default;

    [[nodiscard]] const std::string& family() const { return options_.family; }
    [[nodiscard]] const ProxyStatus& status() const { return status_; }

    /// Why no member is connected: the address and the reason of the last attempt. Empty if one is.
    [[nodiscard]] std::string trouble() const;

    /// It lasts through failovers, until unsubscribe(). Errors: bad_config, limit_exceeded (none).
    [[nodiscard]] Result<SubscriptionId> subscribe(std::string record, std::string token = {});
    void unsubscribe(SubscriptionId subscription);
    /// Asks for a new image: after a gap, or when the owner has dropped a message.
    void resync(SubscriptionId subscription);
    /// From now on the names of records and calls are told.
    void want_names();

    /// Errors: those of CallTable::begin.
    [[nodiscard]] Result<CallId> call(record::CallTable::Call call);
    void cancel(CallId call);

    /// The directory has changed, or the state of the link to the registry.
    void directory_changed(bool registry_up);
    /// Ends all calls and closes the link.
    void close();

private:
    void evaluate();
    void connect(const Target& target);
    /// The reason is kept until a member is connected.
    void retry_later(const Error& reason);
    void note_trouble(const Target& target, const Error& reason);
    void drop(const Error& reason);
    [[nodiscard]] bool may_still_answer() const;
    [[nodiscard]] bool in_flight() const;
    void leave();
    void set_status(ProxyStatus status);
    [[nodiscard]] bool fenced() const;
    [[nodiscard]] Epoch floor() const;
    [[nodiscard]] bool still_there() const;
    void greet(const wire::pb::Welcome& welcome);
    void take_hint(const wire::pb::ActiveHint& hint);
    void role_notice(const wire::pb::RoleNotice& notice);
    void become_ready();
    void ask_for_names();
    void record_message(wire::MessageType type, Bytes body);
    [[nodiscard]] bool stale(Epoch epoch);
    void send_subscribe(SubscriptionId id, const std::string& record, const std::string& token);
    void carry_out(record::CallEffects& effects);
    void arm_calls();

    void link_hello(Link& link, Bytes opaque) override;
    void link_welcome(Link& link, Bytes opaque) override;
    void link_message(Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(Link& link) override;
    void link_closed(Link& link, const Error& reason) override;

    struct Subscription {
        std::string record;
        std::string token;
    };

    Runtime& runtime_;
    Log& log_;
    link::Refusals refusals_;
    const Options options_;
    Directory& directory_;
    const Epoch& heard_;  ///< The highest epoch of the family, also if it is not fenced.
    ProxyObserver& observer_;
    Backoff backoff_;
    record::CallTable calls_;
    std::map<SubscriptionId, Subscription> subscriptions_;
    std::uint64_t subscription_last_ = 0;
    bool names_wanted_ = false;
    bool registry_up_ = false;
    bool closed_ = false;

    std::optional<Target> target_;  ///< The member of the attempt or the connection.
    std::optional<Target> hint_;
    std::uint64_t failures_ = 0;
    std::string last_trouble_;
    std::unique_ptr<Attempt> attempt_;
    std::unique_ptr<Link> link_;
    std::unique_ptr<Timer> retry_;
    std::unique_ptr<Timer> leaving_;  ///< While a member that gave up its role may still answer.
    std::unique_ptr<Timer> call_timer_;
    std::optional<TimePoint> call_timer_at_;
    ProxyStatus status_;
    Incarnation incarnation_;  ///< Of the process that is connected.
    Buffer scratch_;
};

}  // namespace understudy::client
