#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "platform/loop.h"
#include "platform/network/tls.h"
#include "runtime/network.h"

namespace understudy::platform {

/// One connection over TCP or a Unix-domain socket, perhaps under TLS: what stands behind a
/// Connection.
///
/// Shared by its owner and by the operations that are under way for it, since those outlive a
/// connection that is destroyed. An idle one holds no buffers: received bytes land in the loop's,
/// and output borrows one until it has left.
/// Thread: loop only.
class Stream final : public Loop::Flushable, public std::enable_shared_from_this<Stream> {
public:
    using Ready = std::function<void(Result<void>)>;

    Stream(Loop& loop, Descriptor socket, Address peer);
    ~Stream() override;

    /// Calls `ready` once, never within this call. Whoever is still there within it must start(),
    /// or abandon(), if it succeeded. Errors: denied, unavailable.
    void shake_hands(ssl_ctx_st& context, TlsSession::Side side, Ready ready);

    /// Ends it without another call to anybody.
    void abandon();

    /// Nothing has come of the peer, after the handshake if there is one.
    [[nodiscard]] bool silent() const { return !heard_ && phase_ == Phase::open; }
    /// Ends it for the sake of others; its user hears why. False if something has come just now.
    /// Requires: silent().
    bool make_way();

    // As Connection has them.
    void start(Connection::Observer& observer);
    void send(Bytes data);
    void finish(Duration grace);
    [[nodiscard]] std::size_t backlog_bytes() const;
    [[nodiscard]] const Address& peer() const { return peer_; }
    [[nodiscard]] std::optional<std::string> peer_identity() const;

    void flush() override;

private:
    enum class Phase {
        fresh,      // Nobody listens yet.
        shaking,    // The TLS handshake.
        open,
        finishing,  // The backlog leaves; what the peer says does not matter any more.
        lingering,  // It has left, and the peer knows that nothing follows; its end is awaited.
        closed,
    };

    void await_readable();
    void await_writable();
    void forget_writability();
    void on_readable();
    bool read_once();
    void take(Bytes data);
    void take_cipher(Bytes cipher);
    void take_plain();
    bool complete_handshake();
    void peer_ended();

    void want_flush();
    bool encrypt();
    void write();
    void output_left();
    void end_output();
    void output_broken(int error);
    void release_output();

    void conclude(Error reason);
    void close_descriptor();

    Loop& loop_;
    Descriptor descriptor_;
    const Address peer_;
    Phase phase_ = Phase::fresh;
    bool reading_ = false;       // A wait for input is under way.
    bool writing_ = false;       // The socket took less than we had: a wait for room is under way.
    bool write_waited_ = false;  // There was one since the descriptor was registered.
    std::uint32_t round_ = 0;    // Counts the registrations; a wait of an older one is void.
    bool flush_wanted_ = false;  // On the loop's list.
    bool was_high_ = false;      // drained() is owed.
    bool heard_ = false;         // Something has come for its user.
    int send_error_ = 0;         // The peer takes nothing more; what it said before is being read.
    Connection::Observer* observer_ = nullptr;

    Buffer out_;            // What the socket shall get.
    std::size_t sent_ = 0;  // Bytes at its front that the socket has.
    Buffer plain_;          // With TLS: what is not encrypted yet.
    std::unique_ptr<TlsSession> tls_;
    Ready ready_;
    std::unique_ptr<Timer> grace_;
};

/// Hands a stream to its user.
[[nodiscard]] std::unique_ptr<Connection> make_connection(std::shared_ptr<Stream> stream);

}  // namespace understudy::platform
