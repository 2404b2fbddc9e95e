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
/// A link is silent until its peer has said hello. It then waits for the owner's answer: it is
/// admitted and stays here, or it is released to the owner, or it is told something and ends. A
/// link that ends is kept until what it was told has been sent. The owner hears no more of it.
///
/// A peer that is to blame for the end of its link is reported once, by a log line (Refusals).
///
/// Thread: loop only. The observer may destroy this in any callback.
/// Bounds: `links_max` links; released ones do not count. For one more, the oldest link that is
///         silent or ends is closed. If there is none, the new one is closed.
class Acceptor {
public:
    struct Options {
        Link::Options link = {};
        std::size_t links_max = 0;
        std::string_view refused_event;  ///< Of the log line. Requires: a literal.
    };

    class Observer {
    public:
        virtual ~Observer() = default;
        /// Answer by admit(), release(), send_away() or refuse(), now or later. `opaque` lives as
        /// long as the call.
        virtual void peer_hello(LinkId id, Bytes opaque) = 0;
        // What follows comes of admitted links.
        virtual void peer_message(LinkId /*id*/, wire::MessageType /*type*/, Bytes /*body*/) {}
        virtual void peer_drained(LinkId /*id*/) {}
        /// A link that has said hello has ended, and not by a call to this. The last call for it.
        virtual void peer_closed(LinkId /*id*/) {}
    };
    using Done = std::function<void()>;

    /// All outlive this.
    Acceptor(Runtime& runtime, Log& log, Options options, Observer& observer);
    ~Acceptor();
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    /// A connection has come to the port.
    void accept(std::unique_ptr<Connection> connection);

    // Answers to a hello. They do nothing if the link does not wait for one any more.

    /// The link stays here. Null: it has gone.
    Link* admit(LinkId id, Bytes welcome);
    /// The link is the owner's from now on, and `observer` hears of it. Null: it has gone.
    [[nodiscard]] std::unique_ptr<Link> release(LinkId id, Bytes welcome, Link::Observer& observer);
    /// Welcomes, then ends the link: the welcome says where to go instead.
    void send_away(LinkId id, Bytes welcome, const Error& reason);
    void refuse(LinkId id, const Error& reason);

    // The end of a link. Each does nothing if it has ended.

    /// The link is closed when what it was told has been sent. Then `done` is called: once, and
    /// also if the link had ended before.
    void finish(LinkId id, const Error& reason, Done done = {});
    /// The same for a link that was released, or never was here.
    void finish(std::unique_ptr<Link> link, const Error& reason, Done done = {});
    /// Closes at once. Nothing is reported.
    void cut(LinkId id);
    /// Closes all at once; each `done` is called. Nothing is reported.
    void clear();

    /// A link that waits for an answer, or was admitted. Null: it has ended.
    [[nodiscard]] Link* find(LinkId id);
    /// All that are here.
    [[nodiscard]] std::size_t size() const { return rows_.size(); }
    /// How many were closed because there were too many.
    [[nodiscard]] std::uint64_t turned_away() const { return turned_away_; }
    /// For what the owner itself has to report of peers.
    [[nodiscard]] Refusals& refusals() { return refusals_; }

private:
    enum class Stage : std::uint8_t { silent, waiting, admitted, ending };
    /// Hears its link. Whatever it calls may destroy it.
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
