#include "record/messages.h"

#include <algorithm>

#include "base/bytes.h"
#include "understudy/limits.h"

namespace understudy::record {

namespace {

constexpr std::uint8_t names_restart = 1;
constexpr std::uint8_t names_complete = 2;
constexpr std::uint8_t reply_done = 0;
constexpr std::uint8_t reply_refused = 1;

using wire::MessageType;

[[nodiscard]] bool has_epoch(MessageType type) { return type != MessageType::subscribe_refused; }
[[nodiscard]] bool has_sequence(MessageType type) {
    return has_epoch(type) && type != MessageType::absent;
}

[[nodiscard]] std::string_view name_of(MessageType type) {
    switch (type) {
        case MessageType::image: return "image";
        case MessageType::delta: return "delta";
        case MessageType::absent: return "absent";
        case MessageType::removed: return "removed";
        default: return "subscribe_refused";
    }
}

ByteWriter begin(Buffer& out) {
    out.clear();
    return ByteWriter(out);
}

void encode_number(std::uint64_t number, Buffer& out) { begin(out).varint(number); }

void write(const Error& error, ByteWriter& writer) {
    writer.fixed(static_cast<std::uint16_t>(error.code));
    writer.fixed(static_cast<std::uint8_t>(error.effect));
    writer.raw(as_bytes(error.detail));
}

// --- Reading ---------------------------------------------------------------------------------

Error bad_message(std::string_view message) {
    return {.code = Errc::corrupt, .detail = "message " + std::string(message)};
}

Result<SubscriptionId> decode_subscription(Bytes body, std::string_view message) {
    ByteReader reader(body);
    const auto subscription = reader.varint();
    if (!reader.done()) return bad_message(message);
    return SubscriptionId{*subscription};
}

// An unknown number of an effect is read as `unknown`: the operation may have happened.
std::optional<Error> read_error(ByteReader& reader) {
    const auto code = reader.fixed<std::uint16_t>();
    const auto effect = reader.fixed<std::uint8_t>();
    if (reader.failed()) return std::nullopt;
    return Error{.code = static_cast<Errc>(*code),
                 .effect = *effect == 0 ? Effect::none : Effect::unknown,
                 .detail = std::string(as_text(reader.rest()))};
}

bool read_names(ByteReader& reader, std::vector<std::string_view>& names) {
    const auto count = reader.varint();
    if (!count || *count > reader.rest().size()) return false;
    names.reserve(static_cast<std::size_t>(*count));
    for (std::uint64_t i = 0; i < *count; ++i) {
        const auto name = reader.text();
        if (!name || !check_name("record", *name)) return false;
        names.push_back(*name);
    }
    return true;
}

}  // namespace

void encode(const Subscribe& message, Buffer& out) {
    ByteWriter writer = begin(out);
    writer.varint(message.subscription.value);
    writer.text(message.record);
    writer.text(message.token);
}

void encode(const Unsubscribe& message, Buffer& out) {
    encode_number(message.subscription.value, out);
}
void encode(const Resync& message, Buffer& out) { encode_number(message.subscription.value, out); }

void encode(const Event& message, Buffer& out) {
    ByteWriter writer = begin(out);
    writer.varint(message.subscription.value);
    if (has_epoch(message.type)) writer.varint(message.epoch.value);
    if (has_sequence(message.type)) writer.varint(message.sequence.value);
    writer.raw(message.bytes);
}

Buffer encode_reason(const Error& reason) {
    Buffer out;
    ByteWriter writer(out);
    write(reason, writer);
    return out;
}

void encode(const Names& message, Buffer& out) {
    ByteWriter writer = begin(out);
    writer.fixed(static_cast<std::uint8_t>((message.restarts ? names_restart : 0) |
                                           (message.completes ? names_complete : 0)));
    for (const auto* names : {&message.added, &message.removed}) {
        writer.varint(names->size());
        for (const std::string_view name : *names) writer.text(name);
    }
}

void encode_head(const RpcRequest& message, Buffer& out) {
    ByteWriter writer = begin(out);
    writer.varint(message.call.value);
    writer.fixed(static_cast<std::uint8_t>(message.answer));
    writer.varint(message.timeout_ms);
    writer.varint(message.epoch.value);
    writer.text(message.name);
}

void encode(const RpcRequest& message, Buffer& out) {
    encode_head(message, out);
    ByteWriter(out).raw(message.arguments);
}

void encode_head(const RpcReply& message, Buffer& out) {
    ByteWriter writer = begin(out);
    writer.varint(message.call.value);
    if (const auto* error = std::get_if<Error>(&message.outcome)) {
        writer.fixed(reply_refused);
        write(*error, writer);
    } else {
        writer.fixed(reply_done);
    }
}

void encode(const RpcReply& message, Buffer& out) {
    encode_head(message, out);
    if (const auto* result = std::get_if<Bytes>(&message.outcome)) ByteWriter(out).raw(*result);
}

Result<Subscribe> decode_subscribe(Bytes body) {
    ByteReader reader(body);
    const auto subscription = reader.varint();
    const auto record = reader.text();
    const auto token = reader.text();
    if (!reader.done() || token->size() > name_size_max) return bad_message("subscribe");
    return Subscribe{SubscriptionId{*subscription}, *record, *token};
}

Result<Unsubscribe> decode_unsubscribe(Bytes body) {
    return Unsubscribe{US_TRY(decode_subscription(body, "unsubscribe"))};
}

Result<Resync> decode_resync(Bytes body) {
    return Resync{US_TRY(decode_subscription(body, "resync"))};
}

Result<Event> decode_event(MessageType type, Bytes body) {
    if (type < MessageType::image || type > MessageType::subscribe_refused) {
        return bad_message("of another kind");
    }
    ByteReader reader(body);
    Event event{.type = type, .subscription = {reader.varint().value_or(0)}};
    if (has_epoch(type)) event.epoch = {reader.varint().value_or(0)};
    if (has_sequence(type)) event.sequence = {reader.varint().value_or(0)};
    event.bytes = reader.rest();
    const bool bare = type == MessageType::absent || type == MessageType::removed;
    const bool whole = bare ? reader.done() : !reader.failed();
    if (!whole || (type == MessageType::subscribe_refused && !read_error(reader))) {
        return bad_message(name_of(type));
    }
    return event;
}

Error reason(const Event& refusal) {
    ByteReader reader(refusal.bytes);
    auto reason = read_error(reader);
    US_ASSERT(reason);
    return *std::move(reason);
}

Result<Names> decode_names(Bytes body) {
    ByteReader reader(body);
    const auto flags = reader.fixed<std::uint8_t>();
    Names message;
    if (!flags || *flags > (names_restart | names_complete) ||
        !read_names(reader, message.added) || !read_names(reader, message.removed) ||
        !reader.done()) {
        return bad_message("names");
    }
    message.restarts = (*flags & names_restart) != 0;
    message.completes = (*flags & names_complete) != 0;
    return message;
}

Result<RpcRequest> decode_rpc_request(Bytes body) {
    ByteReader reader(body);
    const auto call = reader.varint();
    const auto answer = reader.fixed<std::uint8_t>();
    const auto timeout_ms = reader.varint();
    const auto epoch = reader.varint();
    const auto name = reader.text();
    if (reader.failed() || *answer > static_cast<std::uint8_t>(Answer::unwanted) ||
        !check_call_name(*name)) {
        return bad_message("rpc_request");
    }
    return RpcRequest{.call = CallId{*call},
                      .answer = static_cast<Answer>(*answer),
                      .timeout_ms = *timeout_ms,
                      .epoch = Epoch{*epoch},
                      .name = *name,
                      .arguments = reader.rest()};
}

Result<RpcReply> decode_rpc_reply(Bytes body) {
    ByteReader reader(body);
    const auto call = reader.varint();
    const auto status = reader.fixed<std::uint8_t>();
    if (reader.failed() || *status > reply_refused) return bad_message("rpc_reply");
    if (*status == reply_done) return RpcReply{CallId{*call}, reader.rest()};
    auto error = read_error(reader);
    if (!error) return bad_message("rpc_reply");
    return RpcReply{CallId{*call}, std::move(*error)};
}

}  // namespace understudy::record
