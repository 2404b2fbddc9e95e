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

/// The connections of the sessions of one copy of a service, and of peers that ask for one.
///
/// One desk answers at a time: the tenure while this copy is active, else one that names the active
/// copy. end_sessions() and serve() make the change.
///
/// Thread: loop only. The desk may destroy this in any callback.
/// Bounds: those of link::Acceptor, with `links_max`. A session whose peer has left
///         `unread_max_bytes` unread is told nothing more.
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
        /// It has ended: by its peer, or by end_sessions(). It may have waited for an answer.
        virtual void session_closed(LinkId session) = 0;
    };

    /// What became of a message.
    enum class Sent : std::uint8_t {
        taken,
        gone,      ///< There is no such session any more.
        unread,    ///< The peer does not read what it is told. Nothing was sent.
        too_long,  ///< The message is beyond its bound. Nothing was sent.
    };

    /// All outlive this.
    SessionServer(Runtime& runtime, Log& log, const Options& options);
    ~SessionServer() override;

    /// Errors: those of Network::listen.
    [[nodiscard]] Result<void> listen(const Address& address, const std::optional<TlsOptions>& tls);
    /// A connection has come to a port that another object listens on.
    void accept(std::unique_ptr<Connection> connection) { acceptor_.accept(std::move(connection)); }
    /// Of listen(). Null: it does not listen.
    [[nodiscard]] const Listener* listener() const { return listener_.get(); }

    /// `desk` answers from now on. Requires: end_sessions() before, if another one did.
    void serve(Desk& desk) { desk_ = &desk; }
    /// All sessions end when what they were told has left. Peers that wait for an answer to their
    /// hello go on waiting.
    void end_sessions(const Error& reason);
    /// Takes no more connections at the port of listen().
    void stop_listening() { listener_.reset(); }
    /// Closes all connections at once. The desk is not told.
    void clear();

    // Answers to a hello. They do nothing if the peer has gone.

    /// False: it has gone.
    bool open(LinkId session, Bytes welcome);
    void send_away(LinkId session, Bytes welcome, const Error& reason) {
        acceptor_.send_away(session, welcome, reason);
    }
    void refuse(LinkId session, const Error& reason) { acceptor_.refuse(session, reason); }

    // Of a session. The desk is not told of an end that it asks for itself.

    Sent send(LinkId session, wire::MessageType type, std::span<const Bytes> parts);
    Sent send(LinkId session, wire::MessageType type, Bytes body) {
        return send(session, type, std::span<const Bytes>(&body, 1));
    }
    /// Ends it when what it was told has left.
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
