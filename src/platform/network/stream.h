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

/// One connection over TCP or a Unix-domain socket, optionally with TLS. It is the implementation
/// of a Connection.
///
/// It is shared by its owner and by the operations that are under way, because those outlive a
/// destroyed connection. An idle stream has no buffers: received bytes go to the loop's buffer, and
/// output borrows a buffer until it has been sent.
/// Thread: loop only.
class Stream final : public std::enable_shared_from_this<Stream> {
public:
    using Ready = std::function<void(Result<void>)>;

    Stream(Loop& loop, Descriptor socket, Address peer);
    ~Stream();

    /// Calls `ready` once, never within this call. If it succeeded, the caller must call start() or
    /// abandon() within `ready`. Errors: denied, unavailable.
    void shake_hands(ssl_ctx_st& context, TlsSession::Side side, Ready ready);

    /// Ends it without further calls.
    void abandon();

    /// True if the peer has sent nothing, after the handshake if there is one.
    [[nodiscard]] bool silent() const { return !heard_ && phase_ == Phase::open; }
    /// Ends the connection to make room for others; its user is told the reason. Returns false if
    /// something has just arrived.
    /// Requires: silent().
    bool close_for_others();

    // As in Connection.
    void start(Connection::Observer& observer);
    void send(Bytes data);
    void finish(Duration grace);
    [[nodiscard]] std::size_t backlog_bytes() const;
    [[nodiscard]] const Address& peer() const { return peer_; }
    [[nodiscard]] std::optional<std::string> peer_identity() const;

private:
    enum class Phase {
        fresh,    // It has no observer yet.
        shaking,  // The TLS handshake.
        open,
        finishing,  // The backlog is being sent; input of the peer is ignored.
        lingering,  // Everything was sent, and the peer knows it; the end of the peer's side is
                    // awaited.
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

    void flush();
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
    bool writing_ = false;  // The socket took less than we had, and a wait for room is under way.
    bool write_waited_ = false;  // There was such a wait since the descriptor was registered.
    std::uint32_t round_ = 0;    // Counts the registrations; a wait of an earlier one is ignored.
    bool was_high_ = false;      // drained() must still be called.
    bool heard_ = false;         // Something has arrived for its user.
    int send_error_ = 0;  // The peer takes nothing more; what it sent before is still being read.
    Connection::Observer* observer_ = nullptr;

    Buffer out_;            // Bytes for the socket.
    std::size_t sent_ = 0;  // Bytes at the front of out_ that were sent.
    Buffer plain_;          // With TLS: bytes that are not encrypted yet.
    TurnEnd flush_;
    std::unique_ptr<TlsSession> tls_;
    Ready ready_;
    std::unique_ptr<Timer> grace_;
};

/// Wraps a stream for its user.
[[nodiscard]] std::unique_ptr<Connection> make_connection(std::shared_ptr<Stream> stream);

}  // namespace understudy::platform
