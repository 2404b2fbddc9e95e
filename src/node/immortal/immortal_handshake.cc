#include "node/immortal/immortal_handshake.h"

#include "base/bytes.h"
#include "link/mark.h"
#include "understudy/limits.h"

namespace understudy::node {

namespace {

constexpr link::Mark mark{.text = "USIM", .version = 1, .between = "immortals"};
constexpr std::uint8_t kind_welcome = 1;
constexpr std::uint8_t kind_elsewhere = 2;
constexpr std::uint8_t flag_resuming = 1;
constexpr std::uint8_t flag_over = 1;
constexpr std::uint8_t flag_asks = 2;
constexpr std::size_t host_size_max = 255;

Error corrupt(const char* what) {
    return {.code = Errc::corrupt, .detail = std::string("between immortals: ") + what};
}

std::string short_text(ByteReader& reader, std::size_t size_max) {
    const auto text = reader.text();
    if (!text) return {};
    if (text->size() > size_max) {
        (void)reader.raw(~std::uint64_t{0});  // This makes the reader fail from now on.
        return {};
    }
    return std::string(*text);
}

template <class Tag>
void number(ByteReader& reader, Strong<Tag>& into) {
    into = {reader.varint().value_or(0)};
}

}  // namespace

Buffer encode(const ImmortalHello& hello) {
    Buffer out;
    ByteWriter writer(out);
    link::write_mark(writer, mark);
    writer.text(hello.service);
    writer.text(hello.name);
    writer.text(hello.member);
    writer.fixed(hello.instance);
    writer.fixed(hello.epoch.value);
    writer.fixed(hello.known);
    writer.varint(hello.received.value);
    writer.varint(hello.confirmed.value);
    writer.fixed(hello.resuming ? flag_resuming : std::uint8_t{0});
    return out;
}

Result<ImmortalHello> decode_hello(Bytes bytes) {
    ByteReader reader(bytes);
    US_CHECK(link::check_mark(reader, mark));
    ImmortalHello hello;
    hello.service = short_text(reader, identifier_size_max);
    hello.name = short_text(reader, identifier_size_max);
    hello.member = short_text(reader, identifier_size_max);
    hello.instance = reader.fixed<std::uint64_t>().value_or(0);
    hello.epoch = {reader.fixed<std::uint64_t>().value_or(0)};
    hello.known = reader.fixed<std::uint64_t>().value_or(0);
    number(reader, hello.received);
    number(reader, hello.confirmed);
    const std::uint8_t flags = reader.fixed<std::uint8_t>().value_or(0);
    hello.resuming = flags == flag_resuming;
    if (!reader.done() || flags > flag_resuming) return corrupt("hello");
    if (hello.service.empty() || hello.name.empty() || hello.instance == 0) {
        return corrupt("a hello without a name");
    }
    return hello;
}

Buffer encode(const ImmortalAnswer& answer) {
    Buffer out;
    ByteWriter writer(out);
    link::write_mark(writer, mark);
    if (const auto* welcome = std::get_if<ImmortalWelcome>(&answer)) {
        writer.fixed(kind_welcome);
        writer.text(welcome->member);
        writer.fixed(welcome->epoch.value);
        writer.fixed(welcome->instance);
        writer.varint(welcome->received.value);
        writer.varint(welcome->confirmed.value);
        writer.varint(welcome->made.value);
    } else {
        const auto& elsewhere = std::get<ImmortalElsewhere>(answer);
        writer.fixed(kind_elsewhere);
        writer.text(elsewhere.member);
        writer.fixed(elsewhere.epoch.value);
        writer.text(elsewhere.address.host);
        writer.fixed(elsewhere.address.port);
    }
    return out;
}

Result<ImmortalAnswer> decode_answer(Bytes bytes) {
    ByteReader reader(bytes);
    US_CHECK(link::check_mark(reader, mark));
    const std::uint8_t kind = reader.fixed<std::uint8_t>().value_or(0);
    if (kind == kind_welcome) {
        ImmortalWelcome welcome;
        welcome.member = short_text(reader, identifier_size_max);
        welcome.epoch = {reader.fixed<std::uint64_t>().value_or(0)};
        welcome.instance = reader.fixed<std::uint64_t>().value_or(0);
        number(reader, welcome.received);
        number(reader, welcome.confirmed);
        number(reader, welcome.made);
        if (!reader.done() || welcome.instance == 0) return corrupt("welcome");
        return ImmortalAnswer(std::move(welcome));
    }
    if (kind != kind_elsewhere) return corrupt("an answer of an unknown kind");
    ImmortalElsewhere elsewhere;
    elsewhere.member = short_text(reader, identifier_size_max);
    elsewhere.epoch = {reader.fixed<std::uint64_t>().value_or(0)};
    elsewhere.address.host = short_text(reader, host_size_max);
    elsewhere.address.port = reader.fixed<std::uint16_t>().value_or(0);
    if (!reader.done()) return corrupt("elsewhere");
    return ImmortalAnswer(std::move(elsewhere));
}

Buffer encode(const CallsDurable& durable) {
    Buffer out;
    ByteWriter writer(out);
    writer.varint(durable.upto.value);
    writer.fixed(static_cast<std::uint8_t>((durable.over ? flag_over : 0) |
                                           (durable.asks ? flag_asks : 0)));
    return out;
}

Result<CallsDurable> decode_durable(Bytes bytes) {
    ByteReader reader(bytes);
    CallsDurable durable;
    number(reader, durable.upto);
    const std::uint8_t flags = reader.fixed<std::uint8_t>().value_or(0);
    if (!reader.done() || flags > (flag_over | flag_asks)) return corrupt("calls_durable");
    durable.over = (flags & flag_over) != 0;
    durable.asks = (flags & flag_asks) != 0;
    return durable;
}

}  // namespace understudy::node
