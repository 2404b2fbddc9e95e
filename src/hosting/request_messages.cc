#include "hosting/request_messages.h"

#include "base/bytes.h"
#include "link/mark.h"
#include "understudy/limits.h"

namespace understudy::hosting {

namespace {

constexpr link::Mark request_mark{.text = "USRQ", .version = 1, .between = "clients and replicas"};
constexpr std::uint8_t greeting_welcome = 1;
constexpr std::uint8_t greeting_elsewhere = 2;
constexpr std::uint8_t answer_error = 0xff;  // Otherwise the byte is a fate.
constexpr std::size_t host_bytes_max = 255;

Error not_a_request(const char* what) {
    return {.code = Errc::corrupt, .detail = std::string("between client and replica: ") + what};
}

[[nodiscard]] std::optional<std::string> bounded_text(ByteReader& reader, std::size_t bytes_max) {
    const auto text = reader.text();
    if (!text || text->size() > bytes_max) return std::nullopt;
    return std::string(*text);
}

}  // namespace

Buffer encode(const RequestHello& hello) {
    Buffer out;
    ByteWriter writer(out);
    link::write_mark(writer, request_mark);
    writer.text(hello.service);
    writer.fixed(hello.session.value);
    writer.fixed(hello.epoch.value);
    return out;
}

Result<RequestHello> decode_request_hello(Bytes bytes) {
    ByteReader reader(bytes);
    US_CHECK(link::check_mark(reader, request_mark));
    auto service = bounded_text(reader, identifier_size_max);
    const auto session = reader.fixed<std::uint64_t>();
    const auto epoch = reader.fixed<std::uint64_t>();
    if (!service || !reader.done()) return not_a_request("the hello makes no sense");
    return RequestHello{.service = *std::move(service), .session = {*session}, .epoch = {*epoch}};
}

Buffer encode(const RequestGreeting& greeting) {
    Buffer out;
    ByteWriter writer(out);
    link::write_mark(writer, request_mark);
    if (const auto* welcome = std::get_if<RequestWelcome>(&greeting)) {
        writer.fixed(greeting_welcome);
        writer.text(welcome->member);
        writer.fixed(welcome->epoch.value);
        writer.fixed(welcome->session.value);
        return out;
    }
    const auto& elsewhere = std::get<RequestElsewhere>(greeting);
    writer.fixed(greeting_elsewhere);
    writer.text(elsewhere.member);
    writer.fixed(elsewhere.epoch.value);
    writer.text(elsewhere.address.host);
    writer.fixed(elsewhere.address.port);
    return out;
}

Result<RequestGreeting> decode_request_greeting(Bytes bytes) {
    ByteReader reader(bytes);
    US_CHECK(link::check_mark(reader, request_mark));
    const auto kind = reader.fixed<std::uint8_t>();
    auto member = bounded_text(reader, identifier_size_max);
    const auto epoch = reader.fixed<std::uint64_t>();
    if (member && kind == greeting_welcome) {
        const auto session = reader.fixed<std::uint64_t>();
        if (!reader.done()) return not_a_request("the welcome makes no sense");
        return RequestGreeting(
            RequestWelcome{.member = *std::move(member), .epoch = {*epoch}, .session = {*session}});
    }
    if (!member || kind != greeting_elsewhere) return not_a_request("the greeting makes no sense");
    auto host = bounded_text(reader, host_bytes_max);
    const auto port = reader.fixed<std::uint16_t>();
    if (!host || !reader.done()) return not_a_request("the greeting makes no sense");
    return RequestGreeting(RequestElsewhere{.member = *std::move(member),
                                            .epoch = {*epoch},
                                            .address = {.host = *std::move(host), .port = *port}});
}

Buffer encode_head(const SubmitMessage& message) {
    Buffer out;
    ByteWriter writer(out);
    writer.varint(message.number.value);
    writer.varint(message.answered.value);
    return out;
}

Result<SubmitMessage> decode_submit(Bytes bytes) {
    ByteReader reader(bytes);
    const auto number = reader.varint();
    const auto answered = reader.varint();
    if (reader.failed() || *number == 0 || *answered >= *number) {
        return not_a_request("the request makes no sense");
    }
    if (reader.rest().size() > request_bytes_max) return not_a_request("the request is too long");
    return SubmitMessage{.number = {*number}, .answered = {*answered}, .command = reader.rest()};
}

Buffer encode_head(const AnswerMessage& message) {
    Buffer out;
    ByteWriter writer(out);
    writer.varint(message.number.value);
    if (!message.error) {
        writer.fixed(static_cast<std::uint8_t>(message.fate));
        return out;
    }
    writer.fixed(answer_error);
    writer.fixed(static_cast<std::uint8_t>(message.error->effect));
    writer.varint(static_cast<std::uint64_t>(message.error->code));
    writer.text(message.error->detail);
    return out;
}

Result<AnswerMessage> decode_answer(Bytes bytes) {
    ByteReader reader(bytes);
    const auto number = reader.varint();
    const auto kind = reader.fixed<std::uint8_t>();
    if (reader.failed() || *number == 0) return not_a_request("the answer makes no sense");
    AnswerMessage message{.number = {*number}};
    if (*kind <= static_cast<std::uint8_t>(RequestFate::unknown)) {
        message.fate = static_cast<RequestFate>(*kind);
        message.reply = reader.rest();
        return message;
    }
    const auto effect = reader.fixed<std::uint8_t>();
    const auto code = reader.varint();
    const auto detail = reader.text();
    if (*kind != answer_error || !reader.done()) return not_a_request("the answer makes no sense");
    // An effect that is not known here counts as `unknown`, which is always safe.
    message.error = Error{.code = static_cast<Errc>(*code),
                          .effect = *effect == 0 ? Effect::none : Effect::unknown,
                          .detail = std::string(*detail)};
    return message;
}

Buffer encode_outcome(RequestNo number) {
    Buffer out;
    ByteWriter(out).varint(number.value);
    return out;
}

Result<RequestNo> decode_outcome(Bytes bytes) {
    ByteReader reader(bytes);
    const auto number = reader.varint();
    if (!reader.done() || *number == 0) return not_a_request("the question makes no sense");
    return RequestNo{*number};
}

}  // namespace understudy::hosting
