#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

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

/// Whom a proxy talks to.
struct ProxyStatus {
    bool connected = false;
    std::string member;
    Epoch epoch;
    Role role = Role::joining;  ///< Of the member; active unless the proxy is for a named member.
    /// Epochs of this and of the last member are of one line: a lower one is stale.
    bool epochs_comparable = true;
    friend bool operator==(const ProxyStatus&, const ProxyStatus&) = default;
};

/// A record's message for one subscription. Views live as long as the call.
using RecordEvent = std::variant<record::Image, record::Delta, record::Absent, record::Removed,
                                 record::SubscribeRefused>;

/// What a proxy's owner hears. All on the loop; must not destroy the proxy.
class ProxyObserver {
public:
    virtual ~ProxyObserver() = default;
    virtual void status_changed(const ProxyStatus& status) = 0;
    virtual void record_event(const RecordEvent& event) = 0;
    virtual void call_finished(CallId call, Result<Buffer> outcome) = 0;
    virtual void records_named(const record::Names& names) = 0;
    virtual void rpcs_named(const record::Names& names) = 0;
};

/// The client's end of a service: finds the active member, follows it when it moves, subscribes
/// anew, retries what is safe to retry, and says unknown when it cannot know.
///
/// Refuses whatever comes from a member of an epoch below the highest it has heard of.
/// Thread: loop only. Bounds: subscriptions_max; those of CallTable.
class Proxy final : private Link::Observer {
public:
    struct Options {
        std::string family;
        std::string member;  ///< Empty: whoever is active.
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

    /// Why nobody is connected, with the address and the reason of the last try; empty if somebody
    /// is.
    [[nodiscard]] std::string trouble() const;

    /// Kept through failovers until unsubscribe(). Errors: bad_config, limit_exceeded (none).
    [[nodiscard]] Result<SubscriptionId> subscribe(std::string record, std::string token = {});
    void unsubscribe(SubscriptionId subscription);
    /// Asks for a fresh image: after a gap, or when the owner dropped something.
    void resync(SubscriptionId subscription);
    /// Wants the names of records and calls from now on.
    void want_names();

    /// Errors: those of CallTable::begin.
    [[nodiscard]] Result<CallId> call(record::CallTable::Call call);
    void cancel(CallId call);

    /// The directory, or the state of the registry link, changed.
    void directory_changed(bool registry_up);
    /// Ends all calls and closes the link.
    void close();

private:
    void evaluate();
    void connect(const Target& target);
    /// The reason stays until somebody is connected.
    void retry_later(const Error& reason);
    void note_trouble(const Target& target, const Error& reason);
    void drop(const Error& reason);
    [[nodiscard]] bool has_a_word_to_say() const;
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
    const Epoch& heard_;  ///< The highest epoch of the family; also of one that is not fenced.
    ProxyObserver& observer_;
    Backoff backoff_;
    record::CallTable calls_;
    std::map<SubscriptionId, Subscription> subscriptions_;
    std::uint64_t subscription_last_ = 0;
    bool names_wanted_ = false;
    bool registry_up_ = false;
    bool closed_ = false;

    std::optional<Target> target_;  ///< Being connected to, or connected.
    std::optional<Target> hint_;
    std::uint64_t failures_ = 0;
    std::string last_trouble_;
    std::unique_ptr<Attempt> attempt_;
    std::unique_ptr<Link> link_;
    std::unique_ptr<Timer> retry_;
    std::unique_ptr<Timer> leaving_;  ///< Still listens to a member that gave its role away.
    std::unique_ptr<Timer> call_timer_;
    std::optional<TimePoint> call_timer_at_;
    ProxyStatus status_;
    Incarnation incarnation_;  ///< Of the process connected to.
    Buffer scratch_;
};

}  // namespace understudy::client
