#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/lifetime.h"
#include "base/log.h"
#include "immortal/outbox.h"
#include "link/link.h"
#include "link/refusals.h"
#include "node/active_search.h"
#include "node/immortal/immortal_handshake.h"
#include "node/locator.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// The links between one immortal, or one client, and others: one in use per peer, whoever dialled.
///
/// Finds the active member of a peer that something is to be sent to, sends what its owner has from
/// where the receiver's journal ends, never more than `window_bytes` ahead of it. The newest link
/// that was welcomed wins; what an older one still carries is not taken.
///
/// Nothing is decided here about what may be taken: the owner does that.
/// Thread: loop only. The owner may destroy it in any callback.
/// Source: docs/protocols/immortals.md.
class Courier final : private link::Link::Observer {
public:
    /// That wait for an answer to their hello; who comes then is hung up on, and dials again.
    static constexpr std::size_t guests_max = 1024;
    /// Two that dial each other at once: so long the one whose name sorts first insists.
    static constexpr Duration crossing_max = 50ms;

    struct Options {
        std::string name;  ///< Of the service, or of the client's session.
        std::optional<TlsOptions> tls = {};
        Duration connect_timeout = 1s;
        Duration handshake_limit = 2s;
        Duration silence_max = 2s;  ///< While something is awaited; asked in between.
        std::size_t window_bytes = 8 * MiB;
    };
    using GuestId = Strong<struct GuestTag>;

    class Owner {
    public:
        virtual ~Owner() = default;
        /// What is said to this peer first.
        [[nodiscard]] virtual ImmortalHello hello(const std::string& peer) = 0;
        /// Somebody wants a link: answer by take(), send_elsewhere() or refuse(), now or later.
        virtual void link_wanted(GuestId guest, const ImmortalHello& hello) = 0;
        /// Whom we called takes the link. An error ends it.
        [[nodiscard]] virtual Result<void> link_taken(const std::string& peer,
                                                      const ImmortalWelcome& welcome) = 0;
        virtual void link_lost(const std::string& /*peer*/) {}
        /// Whom we called refuses, and not because it is not active; it will be asked again.
        virtual void link_refused(const std::string& /*peer*/, const Error& /*reason*/) {}
        /// Something is there for it, or awaited from it.
        [[nodiscard]] virtual bool wants_link(const std::string& peer) = 0;
        /// The run to send next; null: there is none yet.
        [[nodiscard]] virtual immortal::Outbox::ChunkPtr chunk(const std::string& peer,
                                                               MessageNo from) = 0;
        /// An error ends the link; the peer begins again behind durable_here().
        [[nodiscard]] virtual Result<void> batch_received(const std::string& peer,
                                                          const immortal::Batch& batch) = 0;
        /// The peer has all up to this one; `bytes` of it were sent on this link.
        [[nodiscard]] virtual Result<void> durable_there(const std::string& peer, MessageNo upto,
                                                         std::size_t bytes) = 0;
        /// A client's session ends.
        virtual void session_over(const std::string& /*peer*/) {}
        /// The peer's stream is taken for good up to here.
        [[nodiscard]] virtual MessageNo durable_here(const std::string& peer) = 0;
    };

    struct Counters {
        std::uint64_t links = 0;
        std::uint64_t batches_sent = 0;
        std::uint64_t refused = 0;
    };

    /// All outlive this.
    Courier(Runtime& runtime, Log& log, Options options, Locator& locator, Owner& owner);
    ~Courier() override;
    Courier(const Courier&) = delete;
    Courier& operator=(const Courier&) = delete;

    /// A connection that came to our port.
    void accept(std::unique_ptr<Connection> connection);
    /// The guest's link is in use from now on, and what it wants is sent from `from` on. Does
    /// nothing if it has gone. Requires: it is a guest.
    void take(GuestId guest, const ImmortalWelcome& welcome, MessageNo from);
    void send_elsewhere(GuestId guest, const ImmortalElsewhere& elsewhere);
    void refuse(GuestId guest, const Error& reason);

    /// There is something for the peer that was not there before.
    void output_ready(const std::string& peer);
    /// durable_here() says more than before.
    void tell_durable(const std::string& peer);
    [[nodiscard]] bool linked(std::string_view peer) const;
    /// When the peer last said something on the link in use; nothing if there is none.
    [[nodiscard]] std::optional<TimePoint> heard(std::string_view peer) const;
    /// Asks the peer to say something.
    void ask(const std::string& peer);
    /// Ends the link; it is made again when something is there to send.
    void drop(const std::string& peer, const Error& reason);
    /// The same, and what was heard of the peer counts no more: it may be another one.
    void forget(const std::string& peer, const Error& reason);
    /// Tells the peer that the session is over, then ends the link; `done` comes last, later.
    void end_session(const std::string& peer, std::function<void()> done);
    /// Ends all links and attempts; guests are let go.
    void drop_all();

    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    struct UnderWay {
        MessageNo last;
        std::size_t bytes;
    };
    struct Line {
        std::string peer;
        Epoch epoch;  ///< The highest heard of it.
        // The link in use, and what is known of it.
        std::unique_ptr<link::Link> link;
        TimePoint since;
        TimePoint heard;
        TimePoint quiet_since;  ///< Something is awaited.
        std::unique_ptr<Timer> silence;
        MessageNo next;  ///< To be sent.
        std::deque<UnderWay> under_way;
        std::size_t under_way_bytes = 0;
        bool tell = false;    ///< How much is durable here.
        bool ask = false;     ///< How much is durable there.
        bool marked = false;  ///< Something is to be sent at the end of the turn.
        // On the way to one.
        std::unique_ptr<Locator::Watch> watch;
        ActiveSearch search;
        std::unique_ptr<Attempt> attempt;
        std::unique_ptr<link::Link> dialled;  ///< Waits for its welcome.
        Address dialled_to;
        TimePoint dialled_at;
        std::unique_ptr<Timer> retry;
    };
    struct Guest {
        std::unique_ptr<link::Link> link;
        std::optional<ImmortalHello> hello;
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
    void connected(Line& line, Result<std::unique_ptr<Connection>> made);
    void dial_failed(Line& line, const Error& reason);
    void found(Line& line, const std::vector<Locator::Place>& places);
    void establish(Line& line, std::unique_ptr<link::Link> link, MessageNo from);
    void end_link(Line& line, const Error& reason);
    void lost(Line& line, const Error& reason);
    [[nodiscard]] Result<void> check(const ImmortalHello& hello) const;
    [[nodiscard]] Result<void> welcomed(Line& line, const ImmortalWelcome& welcome);
    [[nodiscard]] Result<void> take_durable(Line& line, Bytes body);
    [[nodiscard]] std::map<GuestId, Guest>::iterator guest_of(const link::Link& link);
    void later(std::function<void()> task);

    void link_hello(link::Link& link, Bytes opaque) override;
    void link_welcome(link::Link& link, Bytes opaque) override;
    void link_message(link::Link& link, wire::MessageType type, Bytes body) override;
    void link_drained(link::Link& link) override;
    void link_closed(link::Link& link, const Error& reason) override;

    Runtime& runtime_;
    Log& log_;
    link::Refusals refusals_;
    const Options options_;
    Locator& locator_;
    Owner& owner_;
    std::map<std::string, Line, std::less<>> lines_;
    std::unordered_map<const link::Link*, Line*> by_link_;
    std::map<GuestId, Guest> guests_;
    std::uint64_t guest_last_ = 0;
    /// Refused, or ended: what they were told has not left yet.
    std::map<const link::Link*, std::unique_ptr<link::Link>> leaving_;
    std::map<const link::Link*, std::function<void()>> ended_;
    std::vector<Line*> marked_;
    bool send_scheduled_ = false;
    Counters counters_;
    Lifetime life_;
};

}  // namespace understudy::node
