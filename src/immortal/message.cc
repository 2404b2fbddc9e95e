#include "immortal/message.h"

namespace understudy::immortal {

void encode(const Message& message, Buffer& out) {
    ByteWriter writer(out);
    out.push_back(static_cast<std::byte>(message.kind));
    if (message.kind != MessageKind::one_way) writer.varint(message.id);
    if (message.kind == MessageKind::one_way || message.kind == MessageKind::call) {
        writer.text(message.name);
    }
    writer.bytes(message.body);
}

std::optional<Message> decode_message(ByteReader& in) {
    const auto kind = in.fixed<std::uint8_t>();
    if (!kind || *kind < 1 || *kind > 4) {
        (void)in.raw(~std::uint64_t{0});  // This makes the reader fail from now on.
        return std::nullopt;
    }
    Message message{.kind = static_cast<MessageKind>(*kind)};
    if (message.kind != MessageKind::one_way) message.id = in.varint().value_or(0);
    if (message.kind == MessageKind::one_way || message.kind == MessageKind::call) {
        message.name = in.text().value_or("");
    }
    message.body = in.bytes().value_or(Bytes{});
    if (in.failed()) return std::nullopt;
    return message;
}

Buffer encode_refusal(const Error& error) {
    const auto code = static_cast<std::uint16_t>(error.code);
    Buffer body{static_cast<std::byte>(code), static_cast<std::byte>(code >> 8),
                static_cast<std::byte>(error.effect)};
    ByteWriter writer(body);
    writer.text(error.detail);
    return body;
}

Error decode_refusal(Bytes body) {
    ByteReader reader(body);
    const auto code = reader.fixed<std::uint16_t>();
    const auto effect = reader.fixed<std::uint8_t>();
    const auto detail = reader.text();
    if (!code || !effect || !detail) {
        return {.code = Errc::corrupt,
                .effect = Effect::unknown,
                .detail = "the call was refused, and the reason cannot be read"};
    }
    return {.code = static_cast<Errc>(*code),
            .effect = *effect == 0 ? Effect::none : Effect::unknown,
            .detail = std::string(*detail)};
}

Buffer encode_batch_head(const Batch& batch) {
    Buffer head;
    ByteWriter writer(head);
    writer.varint(batch.first.value);
    writer.varint(batch.count);
    return head;
}

namespace {

Error corrupt_batch(const char* what) {
    return {.code = Errc::corrupt, .detail = std::string("batch: ") + what};
}

}  // namespace

Result<Batch> read_batch(Bytes bytes) {
    ByteReader reader(bytes);
    Batch batch;
    batch.first = {reader.varint().value_or(0)};
    batch.count = reader.varint().value_or(0);
    batch.messages = reader.rest();
    if (reader.failed() || batch.first.value == 0 || batch.count == 0) {
        return corrupt_batch("no head");
    }
    if (batch.count > batch_count_max || batch.first.value > ~std::uint64_t{0} - batch_count_max) {
        return Error{.code = Errc::limit_exceeded, .detail = "batch: too many messages"};
    }
    return batch;
}

Result<Batch> decode_batch(Bytes bytes) {
    Batch batch = US_TRY(read_batch(bytes));
    ByteReader messages(batch.messages);
    for (std::uint64_t i = 0; i < batch.count; ++i) {
        const auto message = decode_message(messages);
        if (!message) return corrupt_batch("a message is incomplete");
        if (message->body.size() > message_size_max) {
            return Error{.code = Errc::limit_exceeded, .detail = "batch: a message is too long"};
        }
    }
    if (!messages.done()) return corrupt_batch("more messages than it says");
    return batch;
}

}  // namespace understudy::immortal
