#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "immortal/message.h"

namespace understudy::immortal {

/// The messages that one immortal has made for another. They are numbered and kept until the
/// receiver confirms that they are durable. A replay makes them again with the same numbers.
///
/// Value; part of the replicated state. The chunks are only storage: copies divide the messages
/// differently.
/// Bounds: memory for messages that are not confirmed. The code that takes impulses watches
/// bytes().
class Outbox {
public:
    /// Approximate; one message may be longer.
    static constexpr std::size_t chunk_bytes = 64 * KiB;

    struct Chunk {
        MessageNo first;
        std::uint64_t count = 0;
        Buffer messages;
        [[nodiscard]] MessageNo last() const { return {first.value + count - 1}; }
    };
    using ChunkPtr = std::shared_ptr<const Chunk>;

    /// Takes the next number. A message that was confirmed before it was made is not kept.
    MessageNo append(const Message& message);
    /// The receiver has all messages up to this one in its journal. Late and repeated confirmations
    /// have no effect.
    void confirm(MessageNo upto);

    /// The whole chunk that holds `from`; earlier messages in it are repeated. Null if there is no
    /// such message yet. Messages that are appended later begin a new chunk.
    /// Requires: from > confirmed().
    [[nodiscard]] ChunkPtr at(MessageNo from);

    [[nodiscard]] MessageNo next() const { return next_; }            ///< Of the next message.
    [[nodiscard]] MessageNo confirmed() const { return confirmed_; }  ///< 0: none.
    [[nodiscard]] bool empty() const { return confirmed_.next() >= next_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// A hash of all messages ever appended: equal at all copies that made the same messages.
    [[nodiscard]] std::uint64_t chain() const { return chain_; }

    /// The outbox as it is now; later changes do not affect it.
    struct Image {
        MessageNo confirmed;
        MessageNo next;
        std::uint64_t chain = 0;
        std::deque<ChunkPtr> chunks;
    };
    [[nodiscard]] Image image();
    /// Moves a run of messages that are not confirmed from the image to `out`, as a batch.
    /// Requires: there is one.
    static void take_batch(Image& image, Buffer& out);

    /// Begins as an image began. Its messages follow by restore().
    void restore(MessageNo confirmed, MessageNo next, std::uint64_t chain);
    /// Errors: corrupt (none).
    [[nodiscard]] Result<void> restore(const Batch& batch);
    /// True if all messages of the image have arrived.
    [[nodiscard]] bool whole() const { return last_here_.next() >= next_; }

private:
    std::deque<std::shared_ptr<Chunk>> chunks_;
    bool open_ = false;  ///< The last chunk takes more messages.
    MessageNo next_{1};
    MessageNo confirmed_;
    /// During a restoration: the last message that has arrived or was confirmed.
    MessageNo last_here_;
    std::size_t bytes_ = 0;
    std::uint64_t chain_ = 0;
};

}  // namespace understudy::immortal
