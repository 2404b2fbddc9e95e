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

/// Which end of the connection: the connecting side sends hello, the accepting side answers it.
enum class Side : std::uint8_t { connecting, accepting };

/// The protocol versions one side can speak.
struct VersionRange {
    std::uint8_t min = 1;
    std::uint8_t max = 1;
    friend bool operator==(const VersionRange&, const VersionRange&) = default;
};

/// One end of a connection: turns its byte stream into messages, and messages into bytes.
///
/// First comes the handshake: hello, then welcome or refusal. Then come batches: each frame has the
/// messages of one loop turn. There is no I/O: received bytes go into receive(), and flush()
/// returns the bytes to send.
/// In each turn, call put() any number of times, then connection.send(channel.flush()).
///
/// Bounds: message_size_max for a message; pending_size_max for messages that are not flushed yet:
///         then put() refuses. Received bytes are kept only while their frame is incomplete.
/// Thread: loop only.
/// Source: docs/formats/wire.md.
class Channel {
public:
    static constexpr std::size_t message_size_max = 2 * MiB;
    static constexpr std::size_t batch_size_max = 256 * KiB;  ///< Larger ones are split.
    static constexpr std::size_t compress_size_min = 512;     ///< Smaller ones stay plain.
    static constexpr std::size_t pending_size_max = 64 * MiB;
    static constexpr std::size_t opaque_size_max = handshake_size_max - 64;
    static constexpr std::size_t refusal_detail_max = 1024;

    struct Options {
        VersionRange versions = {};
        /// In order of preference; the connecting side's order counts. `none` is always understood.
        std::vector<Compression> compressions = {};
        /// Shared by the channels of a loop, and outlives them. Null: the channel makes its own.
        Compressor* compressor = nullptr;
    };

    /// Called by receive() with what was received. A call may put, flush and close, but not receive
    /// nor destroy the channel. Bytes live as long as the call.
    class Sink {
    public:
        virtual ~Sink() = default;
        /// Accepting side: answer with welcome() or refuse(), now or later.
        virtual void hello(Bytes opaque) = 0;
        /// Connecting side: the handshake has succeeded.
        virtual void welcome(Bytes opaque) = 0;
        /// Connecting side: the peer has refused. The channel is closed.
        virtual void refused(const Error& reason) = 0;
        virtual void message(MessageType type, Bytes body) = 0;
    };

    Channel(Side side, Options options);

    /// Begins the handshake. Requires: connecting side, first call.
    /// Errors: limit_exceeded (none).
    [[nodiscard]] Result<void> hello(Bytes opaque);
    /// Accepts the peer. Requires: accepting side, after Sink::hello(), not closed since.
    /// Errors: limit_exceeded (none).
    [[nodiscard]] Result<void> welcome(Bytes opaque);
    /// Refuses the peer with a reason, which flush() still returns. Then the channel is closed.
    /// Requires: as for welcome(). Detail is cut at refusal_detail_max.
    void refuse(const Error& reason);

    /// Appends one message, its body in one part or several. Messages are kept until the handshake
    /// has succeeded. A closed channel drops them without an error: the owner of the link is told
    /// of its loss elsewhere.
    /// Errors: limit_exceeded (none).
    [[nodiscard]] Result<void> put(MessageType type, Bytes body);
    [[nodiscard]] Result<void> put(MessageType type, std::span<const Bytes> parts);
    [[nodiscard]] Result<void> put(MessageType type, std::initializer_list<Bytes> parts) {
        return put(type, std::span<const Bytes>(parts.begin(), parts.size()));
    }

    /// All bytes that are to be sent, or none. Valid until the next call that adds to them.
    [[nodiscard]] Bytes flush();

    /// Takes received bytes. Incomplete frames are kept, whole ones go to `sink` in order.
    /// Errors: corrupt, limit_exceeded, refused (at the accepting side: no common version). After
    /// any of them the channel is closed: send what flush() returns, then close the connection.
    [[nodiscard]] Result<void> receive(Bytes data, Sink& sink);

    /// Ends the messages in both directions. What flush() would return now is kept.
    void close();

    /// The handshake has succeeded, and the channel is not closed.
    [[nodiscard]] bool open() const { return state_ == State::open; }
    [[nodiscard]] bool closed() const { return state_ == State::closed; }
    /// Bytes that are not flushed yet. They count towards the high-water mark of a link.
    [[nodiscard]] std::size_t pending_bytes() const;
    /// The compression that both ends agreed on. Requires: it was open once.
    [[nodiscard]] std::uint8_t version() const { return version_; }
    [[nodiscard]] Compression compression() const { return compression_; }

private:
    enum class State : std::uint8_t {
        fresh,      // Connecting: hello is not sent yet.
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
    // The buffer keeps its size, so that no bytes are cleared for a message.
    Buffer out_;
    std::size_t out_used_ = 0;
    std::size_t batch_start_ = no_batch;
    bool flushed_ = false;  // flush() has returned out_; the next byte begins it again.
    Buffer waiting_;        // Messages put before the handshake was done.

    Buffer rest_;  // The beginning of an incomplete frame.
    std::unique_ptr<Compressor> own_compressor_;
};

}  // namespace understudy::wire
