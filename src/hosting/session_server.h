#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/log.h"
#include "base/types.h"
#include "link/acceptor.h"
#include "runtime/runtime.h"

namespace understudy::hosting {

/// The connections of one copy of a service: those with a session, and those that ask for one.
///
/// One desk answers at a time: the tenure while this copy is active, otherwise a desk that names
/// the active copy. end_sessions() and serve() change it.
///
/// Thread: loop only. The desk may destroy this in any callback.
/// Bounds: those of link::Acceptor, with `links_max`. If a peer has left `unread_max_bytes` unread,
///         nothing more is sent to its session.
class SessionServer final : private link::Acceptor::Observer {
public:
    struct Options {
        link::Link::Options link = {};
        std::size_t links_max = 0;
        std::size_t unread_max_bytes = Connection::high_water_bytes;
        std::string_view refused_event;  ///< As in link::Acceptor.
    };

    class Desk {
    public:
        virtual ~Desk() = default;
        /// Answer by open(), send_away() or refuse(), now or later.
        virtual void session_hello(LinkId session, Bytes opaque) = 0;
        virtual void session_message(LinkId session, wire::MessageType type, Bytes body) = 0;
        /// The session has ended, by its peer or by end_sessions(). It may have waited for an
        /// answer.
        virtual void session_closed(LinkId session) = 0;
    };

    /// The result of sending a message.
    enum class Sent : std::uint8_t {
        taken,
        gone,      ///< There is no such session any more.
        unread,    ///< The peer does not read. Nothing was sent.
        too_long,  ///< The message exceeds its bound. Nothing was sent.
    };

    /// All outlive this.
    SessionServer(Runtime& runtime, Log& log, const Options& options);
    ~SessionServer() override;

    /// Errors: those of Network::listen.
    [[nodiscard]] Result<void> listen(const Address& address, const std::optional<TlsOptions>& tls);
    /// Takes a connection from a port on which another object listens.
    void accept(std::unique_ptr<Connection> connection) { acceptor_.accept(std::move(connection)); }
    /// The listener of listen(). Null: there is none.
    [[nodiscard]] const Listener* listener() const { return listener_.get(); }

    /// `desk` answers from now on. Requires: if another desk answered, end_sessions() was called.
    void serve(Desk& desk) { desk_ = &desk; }
    /// Ends all sessions; each connection is closed when what waits on it has been sent. Peers that
    /// wait for an answer to their hello go on waiting.
    void end_sessions(const Error& reason);
    /// Accepts no more connections at the port of listen().
    void stop_listening() { listener_.reset(); }
    /// Closes all connections at once. The desk is not told.
    void clear();

    // Answers to a hello. They do nothing if the peer has gone.

    /// False: the peer has gone.
    bool open(LinkId session, Bytes welcome);
    void send_away(LinkId session, Bytes welcome, const Error& reason) {
        acceptor_.send_away(session, welcome, reason);
    }
    void refuse(LinkId session, const Error& reason) { acceptor_.refuse(session, reason); }

    // Calls about a session. If the desk ends a session, it is not told of that end.

    Sent send(LinkId session, wire::MessageType type, std::span<const Bytes> parts);
    Sent send(LinkId session, wire::MessageType type, Bytes body) {
        return send(session, type, std::span<const Bytes>(&body, 1));
    }
    /// Ends it when everything that waits on its connection has been sent.
    void finish(LinkId session, const Error& reason);
    /// Ends it at once.
    void cut(LinkId session);
    [[nodiscard]] std::size_t sessions() const { return open_.size(); }

private:
    void peer_hello(LinkId id, Bytes opaque) override;
    void peer_message(LinkId id, wire::MessageType type, Bytes body) override;
    void peer_closed(LinkId id) override;

    Runtime& runtime_;
    const std::size_t unread_max_bytes_;
    Desk* desk_ = nullptr;
    std::map<LinkId, link::Link*> open_;
    link::Acceptor acceptor_;
    std::unique_ptr<Listener> listener_;
};

}  // namespace understudy::hosting
