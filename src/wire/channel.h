#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "understudy/types.h"
#include "wire/compression.h"
#include "wire/frame.h"
#include "wire/message_type.h"

namespace understudy::wire {

/// Who opened the connection: the connecting side says hello, the accepting side welcomes it.
enum class Side : std::uint8_t { connecting, accepting };

/// The protocol versions one side can speak.
struct VersionRange {
    std::uint8_t min = 1;
    std::uint8_t max = 1;
    friend bool operator==(const VersionRange&, const VersionRange&) = default;
};

/// One end of one connection, between its byte stream and its messages.
///
/// First the handshake: hello, and welcome or refusal. Then batches: each frame carries the
/// messages of one loop turn. Sans-IO: bytes that came go into receive(), bytes to send come out of
/// flush().
/// Once per turn: channel.put(...) any number of times, then connection.send(channel.flush()).
///
/// Bounds: a message up to message_size_max; messages not yet flushed up to pending_size_max,
///         beyond it put() refuses; received bytes are kept only while their frame is incomplete.
/// Thread: loop only.
/// Source: docs/formats/wire.md.
class Channel {
public:
    static constexpr std::size_t message_size_max = 2 * MiB;
    static constexpr std::size_t batch_size_max = 256 * KiB;  ///< Split beyond, between messages.
    static constexpr std::size_t compress_size_min = 512;     ///< Smaller batches travel plain.
    static constexpr std::size_t pending_size_max = 64 * MiB;
    static constexpr std::size_t opaque_size_max = handshake_size_max - 64;
    static constexpr std::size_t refusal_detail_max = 1024;

    struct Options {
        VersionRange versions = {};
        /// In order of preference; the connecting side's order counts. `none` is always understood.
        std::vector<Compression> compressions = {};
        /// Shared by the channels of a loop, outlives them. Null: an own one, made at first use.
        Compressor* compressor = nullptr;
    };

    /// Where received things go, within receive(). A callback may put, flush and close; it may
    /// not receive, nor destroy the channel. Bytes live as long as the call.
    class Sink {
    public:
        virtual ~Sink() = default;
        /// Accepting side: answer with welcome() or refuse(), now or later.
        virtual void hello(Bytes opaque) = 0;
        /// Connecting side: the handshake is done.
        virtual void welcome(Bytes opaque) = 0;
        /// Connecting side: the peer said no, and why; the channel is closed.
        virtual void refused(const Error& reason) = 0;
        virtual void message(MessageType type, Bytes body) = 0;
    };

    Channel(Side side, Options options);

    /// Opens the handshake. Requires: connecting side, first call.
    /// Errors: limit_exceeded (none).
    [[nodiscard]] Result<void> hello(Bytes opaque);
    /// Accepts the peer. Requires: accepting side, after Sink::hello(), not closed since.
    /// Errors: limit_exceeded (none).
    [[nodiscard]] Result<void> welcome(Bytes opaque);
    /// Tells the peer why not; flush() still has the telling, then the channel is closed.
    /// Requires: as for welcome(). Detail is cut at refusal_detail_max.
    void refuse(const Error& reason);

    /// Appends one message, its body in one part or several. Before the handshake is done, messages
    /// wait for it. On a closed channel they are dropped, and that is no error: the loss of the
    /// link is told elsewhere.
    /// Errors: limit_exceeded (none).
    [[nodiscard]] Result<void> put(MessageType type, Bytes body);
    [[nodiscard]] Result<void> put(MessageType type, std::span<const Bytes> parts);
    [[nodiscard]] Result<void> put(MessageType type, std::initializer_list<Bytes> parts) {
        return put(type, std::span<const Bytes>(parts.begin(), parts.size()));
    }

    /// All that waits to be sent; empty if nothing does. Valid until the next call that adds to it.
    [[nodiscard]] Bytes flush();

    /// Takes what came. Incomplete frames are kept, whole ones go to `sink` in order.
    /// Errors: corrupt, limit_exceeded, refused (versions do not meet, as the accepting side sees
    /// it). After any of them the channel is closed: send what flush() has, then close the
    /// connection.
    [[nodiscard]] Result<void> receive(Bytes data, Sink& sink);

    /// No more messages in or out. What flush() would give now is kept, later puts are dropped.
    void close();

    /// The handshake is done and nobody closed.
    [[nodiscard]] bool open() const { return state_ == State::open; }
    [[nodiscard]] bool closed() const { return state_ == State::closed; }
    /// Bytes put and not yet flushed; counts towards a link's high-water mark.
    [[nodiscard]] std::size_t pending_bytes() const;
    /// What both agreed on. Requires: open() once.
    [[nodiscard]] std::uint8_t version() const { return version_; }
    [[nodiscard]] Compression compression() const { return compression_; }

private:
    enum class State : std::uint8_t {
        fresh,      // Connecting: hello not yet said.
        waiting,    // Connecting: for welcome. Accepting: for hello.
        answering,  // Accepting: the owner decides about the peer.
        open,
        closed,
    };

    static constexpr std::size_t no_batch = static_cast<std::size_t>(-1);

    void become_open();
    void put_handshake(FrameKind kind, Bytes head, Bytes opaque);
    std::byte* begin_message(std::size_t size);
    std::byte* extend(std::size_t size);
    void seal_batch();
    Compressor& compressor();

    Result<void> receive_rest(Bytes& data, Sink& sink);
    Result<void> take(const Frame& frame, Sink& sink);
    Result<void> take_hello(Bytes payload, Sink& sink);
    Result<void> take_welcome(Bytes payload, Sink& sink);
    Result<void> take_batch(FrameKind kind, Bytes payload, Sink& sink);
    Result<void> take_messages(Bytes messages, Sink& sink);
    [[nodiscard]] std::size_t payload_max() const;
    Error fail(Error error);

    const Side side_;
    const Options options_;
    State state_;
    std::uint8_t version_ = 0;
    Compression compression_ = Compression::none;

    // out_[0, out_used_) is frames: whole ones, then at batch_start_ the one being filled, if any.
    // The buffer is kept at its size, so that a message costs its bytes and no clearing.
    Buffer out_;
    std::size_t out_used_ = 0;
    std::size_t batch_start_ = no_batch;
    bool flushed_ = false;  // out_ was handed out; the next byte replaces it.
    Buffer waiting_;        // Messages put before the handshake was done.

    Buffer rest_;  // The beginning of an incomplete frame.
    std::unique_ptr<Compressor> own_compressor_;
};

}  // namespace understudy::wire
