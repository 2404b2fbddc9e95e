#include "immortal/outbox.h"

#include <algorithm>

#include "base/checksum.h"

namespace understudy::immortal {

MessageNo Outbox::append(const Message& message) {
    const MessageNo number = next_;
    next_ = next_.next();
    last_here_ = number;
    if (!open_ || chunks_.back()->messages.size() >= chunk_bytes) {
        chunks_.push_back(std::make_shared<Chunk>());
        chunks_.back()->first = number;
        open_ = true;
    }
    Chunk& chunk = *chunks_.back();
    const std::size_t before = chunk.messages.size();
    encode(message, chunk.messages);
    chain_ = hash64(Bytes(chunk.messages).subspan(before), chain_);
    // A replay made it again; it is known to be durable at the receiver.
    if (number <= confirmed_) {
        chunk.messages.resize(before);
        chunk.first = next_;
        US_ASSERT(chunk.count == 0);
        return number;
    }
    bytes_ += chunk.messages.size() - before;
    ++chunk.count;
    return number;
}

void Outbox::confirm(MessageNo upto) {
    if (upto <= confirmed_) return;
    confirmed_ = upto;
    while (!chunks_.empty() && chunks_.front()->count > 0 && chunks_.front()->last() <= upto) {
        bytes_ -= chunks_.front()->messages.size();
        chunks_.pop_front();
    }
    if (chunks_.empty()) open_ = false;
}

Outbox::ChunkPtr Outbox::at(MessageNo from) {
    US_ASSERT(from > confirmed_);
    const auto found = std::partition_point(
        chunks_.begin(), chunks_.end(), [from](const std::shared_ptr<Chunk>& chunk) {
            return chunk->count > 0 && chunk->last() < from;
        });
    if (found == chunks_.end() || (*found)->count == 0) return nullptr;
    if (*found == chunks_.back()) open_ = false;
    return *found;
}

Outbox::Image Outbox::image() {
    Image image{.confirmed = confirmed_, .next = next_, .chain = chain_, .chunks = {}};
    open_ = false;
    if (!chunks_.empty() && chunks_.back()->count == 0) chunks_.pop_back();
    image.chunks.assign(chunks_.begin(), chunks_.end());
    return image;
}

void Outbox::take_batch(Image& image, Buffer& out) {
    const ChunkPtr chunk = std::move(image.chunks.front());
    image.chunks.pop_front();
    ByteReader reader(chunk->messages);
    Batch batch{.first = chunk->first, .count = chunk->count, .messages = chunk->messages};
    // A chunk is dropped when all its messages are confirmed. Which messages are confirmed is the
    // same at every copy.
    while (batch.first <= image.confirmed) {
        US_ASSERT(decode_message(reader).has_value());
        batch.first = batch.first.next();
        --batch.count;
    }
    batch.messages = reader.rest();
    ByteWriter writer(out);
    writer.raw(encode_batch_head(batch));
    writer.raw(batch.messages);
}

void Outbox::restore(MessageNo confirmed, MessageNo next, std::uint64_t chain) {
    *this = Outbox();
    confirmed_ = confirmed;
    last_here_ = confirmed;
    next_ = next;
    chain_ = chain;
}

Result<void> Outbox::restore(const Batch& batch) {
    const MessageNo end{batch.first.value + batch.count};
    if (batch.first != last_here_.next() || end > next_) {
        return Error{.code = Errc::corrupt, .detail = "checkpoint: an outbox has a gap"};
    }
    chunks_.push_back(std::make_shared<Chunk>());
    Chunk& chunk = *chunks_.back();
    chunk.first = batch.first;
    chunk.count = batch.count;
    chunk.messages.assign(batch.messages.begin(), batch.messages.end());
    bytes_ += chunk.messages.size();
    last_here_ = chunk.last();
    return {};
}

}  // namespace understudy::immortal
