#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string_view>

#include "base/lifetime.h"
#include "base/log.h"
#include "base/types.h"
#include "link/link.h"
#include "link/refusals.h"
#include "runtime/runtime.h"

namespace understudy::link {

/// The links that others open to one port, each from its connection to its end.
///
/// A link is silent until its peer has said hello. It then waits for the owner's answer: the link
/// is admitted and stays here, or it is released to the owner, or it gets an answer and ends. A
/// link that ends is kept until everything has been sent on it. The owner gets no more events of
/// it.
///
/// If the peer caused the end of its link, that is logged once (Refusals).
///
/// Thread: loop only. The observer may destroy this in any callback.
/// Bounds: `links_max` links; released ones do not count. For one more, the oldest link that is
///         silent or ends is closed. If there is none, the new one is closed.
class Acceptor {
public:
    struct Options {
        Link::Options link = {};
        std::size_t links_max = 0;
        std::string_view refused_event;  ///< The name of the log event. Requires: a literal.
    };

    class Observer {
    public:
        virtual ~Observer() = default;
        /// Answer by admit(), release(), send_away() or refuse(), now or later. `opaque` lives as
        /// long as the call.
        virtual void peer_hello(LinkId id, Bytes opaque) = 0;
        // The following events are those of admitted links.
        virtual void peer_message(LinkId /*id*/, wire::MessageType /*type*/, Bytes /*body*/) {}
        virtual void peer_drained(LinkId /*id*/) {}
        /// A link that has said hello has ended, and not by a call to the acceptor. The last call
        /// for it.
        virtual void peer_closed(LinkId /*id*/) {}
    };
    using Done = std::function<void()>;

    /// All outlive this.
    Acceptor(Runtime& runtime, Log& log, Options options, Observer& observer);
    ~Acceptor();
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    /// Takes a new connection of the port.
    void accept(std::unique_ptr<Connection> connection);

    // Answers to a hello. They do nothing if the link does not wait for an answer any more.

    /// The link stays here. Null: the link has ended.
    Link* admit(LinkId id, Bytes welcome);
    /// Passes the link to the owner; `observer` gets its events from now on. Null: the link has
    /// ended.
    [[nodiscard]] std::unique_ptr<Link> release(LinkId id, Bytes welcome, Link::Observer& observer);
    /// Sends the welcome, which says where to connect instead, then ends the link.
    void send_away(LinkId id, Bytes welcome, const Error& reason);
    void refuse(LinkId id, const Error& reason);

    // Calls that end a link. They do nothing if it has ended.

    /// Closes the link when everything has been sent on it. Then `done` is called, once, also if
    /// the link had ended before.
    void finish(LinkId id, const Error& reason, Done done = {});
    /// The same for a link that was released, or that comes from elsewhere.
    void finish(std::unique_ptr<Link> link, const Error& reason, Done done = {});
    /// Closes at once. Nothing is reported.
    void cut(LinkId id);
    /// Closes all at once; each `done` is called. Nothing is reported.
    void clear();

    /// A link that waits for an answer, or was admitted. Null: it has ended.
    [[nodiscard]] Link* find(LinkId id);
    /// The number of all links that are here.
    [[nodiscard]] std::size_t size() const { return rows_.size(); }
    /// The number of connections that were closed because there were too many.
    [[nodiscard]] std::uint64_t turned_away() const { return turned_away_; }
    /// For reports of the owner about peers.
    [[nodiscard]] Refusals& refusals() { return refusals_; }

private:
    enum class Stage : std::uint8_t { silent, waiting, admitted, ending };
    /// Observes its link. Each of its calls may destroy it.
    struct Row final : Link::Observer {
        Row(Acceptor& acceptor, LinkId id) : acceptor(acceptor), id(id) {}

        void link_hello(Link&, Bytes opaque) override { acceptor.hello(*this, opaque); }
        void link_welcome(Link&, Bytes) override { US_ASSERT(false); }
        void link_message(Link&, wire::MessageType type, Bytes body) override {
            if (stage == Stage::admitted) acceptor.observer_.peer_message(id, type, body);
        }
        void link_drained(Link&) override {
            if (stage == Stage::admitted) acceptor.observer_.peer_drained(id);
        }
        void link_closed(Link&, const Error& reason) override { acceptor.closed(id, reason); }

        Acceptor& acceptor;
        const LinkId id;
        std::unique_ptr<Link> link;
        Stage stage = Stage::silent;
        Done done;
    };
    using Rows = std::map<LinkId, Row>;

    Row& add();
    void hello(Row& row, Bytes opaque);
    void closed(LinkId id, const Error& reason);
    [[nodiscard]] Row* find_waiting(LinkId id);
    void end(Row& row, const Error& reason, Done done);
    void report(const Row& row, const Error& reason);
    [[nodiscard]] Done make_room();
    [[nodiscard]] Rows::node_type extract(LinkId id);

    Runtime& runtime_;
    Refusals refusals_;
    const Options options_;
    Observer& observer_;
    Rows rows_;
    std::set<LinkId> spare_;  ///< Silent, or ending.
    std::uint64_t id_last_ = 0;
    std::uint64_t turned_away_ = 0;
    Lifetime life_;
};

}  // namespace understudy::link
