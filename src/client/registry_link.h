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

/// The connection to the registry. It is made again whenever it breaks, over a list of addresses.
///
/// If the registry has several nodes, it looks for the active one. A node that is not active names
/// the active one, which is tried at once. If it knows none, the next address is tried without a
/// pause. Each node tells which nodes there are: their addresses are used beside the configured
/// ones.
///
/// It sends heartbeats. A link is lost when `unanswered_max` heartbeats in a row got no answer.
/// Heartbeats are counted, not seconds: a process that was paused first reads what has come.
/// Thread: loop only.
class RegistryLink final : private Link::Observer {
public:
    class Observer {
    public:
        virtual ~Observer() = default;
        virtual void registry_up(const wire::pb::Welcome& welcome) = 0;
        /// The connection has ended, or no address answers. It is called once for each loss.
        virtual void registry_down(const Error& reason) = 0;
        /// The registry acknowledged a heartbeat that was sent at `sent`.
        virtual void registry_heard(TimePoint sent) = 0;
        virtual void registry_message(wire::MessageType type, Bytes body) = 0;
        /// Called before each heartbeat, for checks that need no timer of their own.
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
        bool any_node = false;  ///< A node that is not active suffices: for cached lookups.
    };

    static constexpr std::uint64_t unanswered_max = 4;
    static constexpr std::size_t nodes_max = 16;  ///< Nodes that are learned. Others are ignored.
    /// With several nodes, the limit for the answer to a hello.
    static constexpr Duration handshake_max = 1s;

    /// Requires: at least one address.
    RegistryLink(Runtime& runtime, Log& log, Options options, wire::pb::Hello hello,
                 Observer& observer);
    ~RegistryLink() override = default;

    void start();
    /// Sends what is not sent yet, then closes the connection for good.
    void stop();

    template <class Message>
    bool send(wire::MessageType type, const Message& message);
    bool send(wire::MessageType type, Bytes body);

    [[nodiscard]] bool up() const { return up_; }
    /// Takes effect with the next heartbeat.
    void set_heartbeat(Duration interval);
    /// The address of the connection, or of the present attempt.
    [[nodiscard]] const Address& address() const { return current_; }
    /// Why no address can be used. With several, the reason of each.
    [[nodiscard]] Error last_error() const;
    /// Configured and learned ones.
    [[nodiscard]] std::vector<Address> known_addresses() const { return candidates(); }
    /// The number of nodes of the registry, as far as it is known. At least 1.
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
    Address current_;                       ///< Of the connection, or of the present attempt.
    std::deque<Address> round_;             ///< They are tried before a pause.
    std::set<Address> failed_;              ///< They did not answer in this round.
    std::map<std::string, Address> nodes_;  ///< Of the registry, by name.
    std::map<Address, std::string> names_;  ///< The node that answered at an address.
    std::unique_ptr<Attempt> attempt_;
    std::unique_ptr<Link> link_;
    std::unique_ptr<Timer> timer_;  ///< For the next heartbeat or the next attempt.
    bool up_ = false;
    bool told_down_ = false;
    bool stopped_ = false;
    std::uint64_t beat_last_ = 0;
    std::uint64_t beat_answered_ = 0;
    std::deque<std::pair<std::uint64_t, TimePoint>> beats_;  ///< Without an answer so far.
    std::map<Address, Error> reasons_;  ///< Why an address could not be used, since the last link.
    Error last_error_{.code = Errc::unavailable, .detail = "not tried yet"};
    /// Of a node that answers and is not active. It tells more than that another node cannot be
    /// reached.
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
