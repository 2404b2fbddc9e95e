#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/backoff.h"
#include "client/link.h"
#include "link/refusals.h"
#include "wire/control.pb.h"

namespace understudy::client {

/// The connection to the registry: kept up for ever, over a list of addresses.
///
/// Of several nodes it looks for the active one: a node that is not says who is and is left for it
/// at once; where nobody is known to be, the next address is tried without a pause. What nodes
/// there are is learned from each of them and kept besides the addresses that were configured.
///
/// Sends heartbeats and judges the link by them: a link on which `unanswered_max` heartbeats in a
/// row stayed without an answer is lost. Heartbeats are counted, not seconds: a process that was
/// paused finds its link alive, reads what has come meanwhile, and only then judges.
/// Thread: loop only.
class RegistryLink final : private Link::Observer {
public:
    class Observer {
    public:
        virtual ~Observer() = default;
        virtual void registry_up(const wire::pb::Welcome& welcome) = 0;
        /// The connection is gone, or none of the addresses answers; told once per loss.
        virtual void registry_down(const Error& reason) = 0;
        /// The registry acknowledged a heartbeat that was sent at `sent`.
        virtual void registry_heard(TimePoint sent) = 0;
        virtual void registry_message(wire::MessageType type, Bytes body) = 0;
        /// Before each heartbeat: time for checks that need no timer of their own.
        virtual void registry_beat() = 0;
    };

    struct Options {
        std::vector<Address> addresses;
        std::optional<TlsOptions> tls;
        Link::Options link;
        Duration connect_timeout = 1s;
        Duration retry_min = 10ms;
        Duration retry_max = 500ms;
        Duration heartbeat = 200ms;
        bool any_node = false;  ///< One that is not active will do: for cached lookups.
    };

    static constexpr std::uint64_t unanswered_max = 4;
    static constexpr std::size_t nodes_max = 16;  ///< Learned; more are not kept.
    /// Where several nodes can be asked, one that does not answer a hello is left after this.
    static constexpr Duration handshake_max = 1s;

    /// Requires: at least one address.
    RegistryLink(Runtime& runtime, Log& log, Options options, wire::pb::Hello hello,
                 Observer& observer);
    ~RegistryLink() override = default;

    void start();
    /// Says the last words, then closes for good.
    void stop();

    template <class Message>
    bool send(wire::MessageType type, const Message& message);
    bool send(wire::MessageType type, Bytes body);

    [[nodiscard]] bool up() const { return up_; }
    /// Takes effect with the next heartbeat.
    void set_heartbeat(Duration interval);
    /// Connected, or being tried.
    [[nodiscard]] const Address& address() const { return current_; }
    /// Why no address serves; of several, each one's reason.
    [[nodiscard]] Error last_error() const;
    /// Configured and learned.
    [[nodiscard]] std::vector<Address> known_addresses() const { return candidates(); }
    /// How many nodes the registry has, as far as known; at least 1.
    [[nodiscard]] std::size_t nodes() const { return std::max<std::size_t>(nodes_.size(), 1); }

private:
    void connect();
    void retry(const Error& reason);
    void note(Error reason);
    void complain(const Error& reason);
    void sent_on(const wire::pb::Welcome& welcome);
    void go_to(const Address& address, Duration wait);
    void begin_round();
    void next_in_round();
    void beat();
    template <class Message>
    void learn(const Message& message);
    [[nodiscard]] std::vector<Address> candidates() const;

    void link_hello(Link& link, Bytes opaque) override;
    void link_welcome(Link& link, Bytes opaque) override;
    void link_message(Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(Link& link) override;
    void link_closed(Link& link, const Error& reason) override;

    Runtime& runtime_;
    Log& log_;
    link::Refusals refusals_;
    Options options_;
    wire::pb::Hello hello_;
    Observer& observer_;
    Backoff backoff_;
    Address current_;                       ///< Connected, or being tried.
    std::deque<Address> round_;             ///< To be tried before a pause.
    std::set<Address> failed_;              ///< Nobody answered there in this round.
    std::map<std::string, Address> nodes_;  ///< Of the registry, by name, as last told.
    std::map<Address, std::string> names_;  ///< Who answered at an address.
    std::unique_ptr<Attempt> attempt_;
    std::unique_ptr<Link> link_;
    std::unique_ptr<Timer> timer_;  ///< Next heartbeat, or next attempt.
    bool up_ = false;
    bool told_down_ = false;
    bool stopped_ = false;
    std::uint64_t beat_last_ = 0;
    std::uint64_t beat_answered_ = 0;
    std::deque<std::pair<std::uint64_t, TimePoint>> beats_;  ///< Not answered yet.
    std::map<Address, Error> reasons_;  ///< Since the link was up: why not that one.
    Error last_error_{.code = Errc::unavailable, .detail = "not tried yet"};
    /// Of a node that answers, and is not active: says more than that another one is not there.
    std::optional<Error> answered_;
    bool answered_now_ = false;  ///< In this round.
    Buffer scratch_;
};

template <class Message>
bool RegistryLink::send(wire::MessageType type, const Message& message) {
    if (!up_) return false;
    scratch_.resize(message.ByteSizeLong());
    const bool whole = message.SerializeToArray(scratch_.data(), static_cast<int>(scratch_.size()));
    US_ASSERT(whole);
    return send(type, Bytes(scratch_));
}

}  // namespace understudy::client
