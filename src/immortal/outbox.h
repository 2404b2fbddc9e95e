#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "immortal/message.h"

namespace understudy::immortal {

/// What one immortal has made for another: numbered, kept until the other says that it is durable
/// there, made again by a replay with the same numbers.
///
/// Value; part of the replicated state. Chunks are how it is kept, not part of what it is: copies
/// cut them differently.
/// Bounds: memory for what is not confirmed. Whoever takes impulses watches bytes().
class Outbox {
public:
    static constexpr std::size_t chunk_bytes = 64 * KiB;  ///< About; one message may be longer.

    struct Chunk {
        MessageNo first;
        std::uint64_t count = 0;
        Buffer messages;
        [[nodiscard]] MessageNo last() const { return {first.value + count - 1}; }
    };
    using ChunkPtr = std::shared_ptr<const Chunk>;

    /// Takes the next number. One that has been confirmed before it was made is not kept.
    MessageNo append(const Message& message);
    /// The receiver has everything up to this one in its journal. Late and repeated ones do
    /// nothing.
    void confirm(MessageNo upto);

    /// The run that holds `from`, whole: what comes before it is repeated. Null: nothing is there
    /// yet. What is appended later begins a new one.
    /// Requires: from > confirmed().
    [[nodiscard]] ChunkPtr at(MessageNo from);

    [[nodiscard]] MessageNo next() const { return next_; }            ///< Of the next message.
    [[nodiscard]] MessageNo confirmed() const { return confirmed_; }  ///< 0: none.
    [[nodiscard]] bool empty() const { return confirmed_.next() >= next_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Of all messages ever appended: equal at each copy that made the same.
    [[nodiscard]] std::uint64_t chain() const { return chain_; }

    /// The outbox as it is now, whatever becomes of it.
    struct Image {
        MessageNo confirmed;
        MessageNo next;
        std::uint64_t chain = 0;
        std::deque<ChunkPtr> chunks;
    };
    [[nodiscard]] Image image();
    /// Appends a run of messages that are not confirmed to `out`, as a batch, and takes it away.
    /// Requires: there is one.
    static void take_batch(Image& image, Buffer& out);

    /// Begins as an image began; its messages follow by restore().
    void restore(MessageNo confirmed, MessageNo next, std::uint64_t chain);
    /// Errors: corrupt (none).
    [[nodiscard]] Result<void> restore(const Batch& batch);
    /// All messages of the image have come.
    [[nodiscard]] bool whole() const { return last_here_.next() >= next_; }

private:
    std::deque<std::shared_ptr<Chunk>> chunks_;
    bool open_ = false;  ///< The last chunk takes more.
    MessageNo next_{1};
    MessageNo confirmed_;
    MessageNo last_here_;  ///< While it is restored: what has come, or was confirmed.
    std::size_t bytes_ = 0;
    std::uint64_t chain_ = 0;
};

}  // namespace understudy::immortal
