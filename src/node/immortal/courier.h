#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "hosting/active_search.h"
#include "hosting/locator.h"
#include "immortal/outbox.h"
#include "link/acceptor.h"
#include "link/dial.h"
#include "link/link.h"
#include "node/immortal/immortal_handshake.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// The links between one immortal, or one client, and its peers. There is one link in use per peer,
/// whichever side dialled.
///
/// For a peer that has messages to receive, the courier finds the active member. It sends what its
/// owner has, starting where the receiver's journal ends, and never more than `window_bytes` beyond
/// that. The newest welcomed link is used; messages that still arrive on an older one are ignored.
///
/// The courier does not decide which messages may be accepted; its owner does.
/// Thread: loop only. The owner may destroy it in any callback.
/// Source: docs/protocols/immortals.md.
class Courier final : private link::Acceptor::Observer {
public:
    /// Connections that are not in use yet, or end. link::Acceptor says what happens beyond.
    static constexpr std::size_t guests_max = 1024;
    /// If two dial each other at once, the one whose name sorts first insists for this long.
    static constexpr Duration crossing_max = 50ms;

    struct Options {
        std::string name;  ///< Of the service, or of the client's session.
        std::optional<TlsOptions> tls = {};
        Duration connect_timeout = 1s;
        Duration handshake_limit = 2s;
        Duration silence_max = 2s;  ///< While something is awaited; the peer is asked before that.
        std::size_t window_bytes = 8 * MiB;
    };
    using GuestId = LinkId;  ///< A link whose peer waits for an answer to its hello.

    class Owner {
    public:
        virtual ~Owner() = default;
        /// The hello for this peer.
        [[nodiscard]] virtual ImmortalHello hello(const std::string& peer) = 0;
        /// A peer wants a link. Answer by take(), send_elsewhere() or refuse(), now or later.
        virtual void link_wanted(GuestId guest, const ImmortalHello& hello) = 0;
        /// The dialled peer accepts the link. An error ends it.
        [[nodiscard]] virtual Result<void> link_taken(const std::string& peer,
                                                      const ImmortalWelcome& welcome) = 0;
        virtual void link_lost(const std::string& /*peer*/) {}
        /// The dialled peer refuses, and not because it is not active. It will be dialled again.
        virtual void link_refused(const std::string& /*peer*/, const Error& /*reason*/) {}
        /// True if there is something to send to the peer, or to receive from it.
        [[nodiscard]] virtual bool wants_link(const std::string& peer) = 0;
        /// The messages to send next; null if there are none yet.
        [[nodiscard]] virtual immortal::Outbox::ChunkPtr chunk(const std::string& peer,
                                                               MessageNo from) = 0;
        /// An error ends the link; the peer begins again after durable_here().
        [[nodiscard]] virtual Result<void> batch_received(const std::string& peer,
                                                          const immortal::Batch& batch) = 0;
        /// The peer has everything up to this message; `bytes` of it were sent on this link.
        [[nodiscard]] virtual Result<void> durable_there(const std::string& peer, MessageNo upto,
                                                         std::size_t bytes) = 0;
        /// A client's session ends.
        virtual void session_over(const std::string& /*peer*/) {}
        /// The peer's stream is durable here up to this message.
        [[nodiscard]] virtual MessageNo durable_here(const std::string& peer) = 0;
    };

    struct Counters {
        std::uint64_t links = 0;
        std::uint64_t batches_sent = 0;
    };

    /// All arguments outlive this.
    Courier(Runtime& runtime, Log& log, Options options, hosting::Locator& locator,
            Owner& owner);
    ~Courier() override;
    Courier(const Courier&) = delete;
    Courier& operator=(const Courier&) = delete;

    /// An incoming connection of our port.
    void accept(std::unique_ptr<Connection> connection) { acceptor_.accept(std::move(connection)); }
    /// The guest's link is in use from now on, and messages are sent from `from` on. Has no effect
    /// if the guest has gone.
    void take(GuestId guest, const ImmortalWelcome& welcome, MessageNo from);
    void send_elsewhere(GuestId guest, const ImmortalElsewhere& elsewhere);
    void refuse(GuestId guest, const Error& reason);

    /// There are new messages for the peer.
    void output_ready(const std::string& peer);
    /// durable_here() has increased.
    void tell_durable(const std::string& peer);
    [[nodiscard]] bool linked(std::string_view peer) const;
    /// When the peer last sent something on the link in use; nothing if there is no link.
    [[nodiscard]] std::optional<TimePoint> heard(std::string_view peer) const;
    /// Asks the peer for an answer.
    void ask(const std::string& peer);
    /// Ends the link; a new one is made when there is something to send.
    void drop(const std::string& peer, const Error& reason);
    /// The same, and what was received from the peer no longer counts: a new peer may have its
    /// name.
    void forget(const std::string& peer, const Error& reason);
    /// Tells the peer that the session is over, then ends the link; `done` comes last, later.
    void end_session(const std::string& peer, std::function<void()> done);
    /// Ends all links and attempts, and closes the guests' connections.
    void drop_all();

    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    struct UnderWay {
        MessageNo last;
        std::size_t bytes;
    };
    /// Observes the link in use. Each of its callbacks may destroy it.
    struct Line final : link::Link::Observer {
        Line(Courier& courier, std::string peer) : courier(courier), peer(std::move(peer)) {}

        void link_hello(link::Link&, Bytes) override { US_ASSERT(false); }
        void link_welcome(link::Link&, Bytes) override { US_ASSERT(false); }
        void link_message(link::Link&, wire::MessageType type, Bytes body) override {
            courier.message(*this, type, body);
        }
        void link_drained(link::Link&) override { courier.mark(*this); }
        void link_closed(link::Link&, const Error& reason) override {
            courier.end_link(*this, reason);
        }

        Courier& courier;
        const std::string peer;
        Epoch epoch;  ///< The highest known.
        // The link in use, and its state.
        std::unique_ptr<link::Link> link;
        TimePoint since;
        TimePoint heard;
        TimePoint quiet_since;  ///< Something is awaited since then.
        std::unique_ptr<Timer> silence;
        MessageNo next;  ///< To be sent next.
        std::deque<UnderWay> under_way;
        std::size_t under_way_bytes = 0;
        bool tell = false;    ///< The peer must be told how much is durable here.
        bool ask = false;     ///< The peer must be asked how much is durable there.
        bool marked = false;  ///< There is something to send at the end of the turn.
        // The search for a link.
        std::unique_ptr<hosting::Locator::Watch> watch;
        hosting::ActiveSearch search;
        std::unique_ptr<link::Dial> dial;
        Address dialled_to;
        std::unique_ptr<Timer> retry;
    };

    [[nodiscard]] Line& line(const std::string& peer);
    void erase(Line& line);
    void mark(Line& line);
    void send_marked();
    void send(Line& line);
    void send_chunks(Line& line);
    void watch_silence(Line& line);
    void silent(Line& line);
    void dial(Line& line);
    void answered(Line& line, Result<link::Dial::Welcomed> result);
    void dial_failed(Line& line, const Error& reason);
    void found(Line& line, const std::vector<hosting::Locator::Place>& places);
    void establish(Line& line, std::unique_ptr<link::Link> link, MessageNo from);
    void message(Line& line, wire::MessageType type, Bytes body);
    void end_link(Line& line, const Error& reason);
    [[nodiscard]] Result<void> check(const ImmortalHello& hello) const;
    [[nodiscard]] Result<void> welcomed(Line& line, const ImmortalWelcome& welcome);
    [[nodiscard]] Result<void> take_durable(Line& line, Bytes body);
    void later(std::function<void()> task);

    void peer_hello(LinkId id, Bytes opaque) override;
    void peer_closed(LinkId id) override { hellos_.erase(id); }

    Runtime& runtime_;
    Log& log_;
    const Options options_;
    hosting::Locator& locator_;
    Owner& owner_;
    std::map<std::string, Line, std::less<>> lines_;
    link::Acceptor acceptor_;
    std::map<GuestId, ImmortalHello> hellos_;  ///< Of the guests.
    std::vector<Line*> marked_;
    std::vector<Line*> sending_;  ///< Of this turn; null: erased meanwhile.
    TurnEnd send_marked_;
    Counters counters_;
    Lifetime life_;
};

}  // namespace understudy::node
