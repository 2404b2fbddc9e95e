#include "record/messages.h"

#include <gtest/gtest.h>

namespace understudy::record {
namespace {

using wire::MessageType;

const Bytes some_bytes = as_bytes("some bytes");

template <class Message>
Buffer encoded_message(const Message& message) {
    Buffer out(5);  // Earlier contents are replaced.
    encode(message, out);
    return out;
}

// Every prefix of a message whose end is known is refused, and so is a message with a byte more.
template <class Decode>
void expect_exact(const Buffer& body, Decode decode) {
    EXPECT_TRUE(decode(body));
    for (std::size_t size = 0; size < body.size(); ++size) {
        const auto decoded = decode(Bytes(body).first(size));
        ASSERT_FALSE(decoded) << "prefix of " << size;
        EXPECT_EQ(decoded.error().code, Errc::corrupt);
    }
    Buffer longer = body;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode(longer));
}

TEST(RecordMessages, CutOrLengthenedOnesAreRefused) {
    const SubscriptionId subscription{300};
    expect_exact(encoded_message(Subscribe{subscription, "record", "token"}), decode_subscribe);
    expect_exact(encoded_message(Unsubscribe{subscription}), decode_unsubscribe);
    expect_exact(encoded_message(Resync{subscription}), decode_resync);
    for (const MessageType type : {MessageType::absent, MessageType::removed}) {
        const Event event{type, subscription, Epoch{1000}, Sequence{70000}};
        expect_exact(encoded_message(event), [&](Bytes body) { return decode_event(type, body); });
    }
    expect_exact(encoded_message(Names{.added = {"a", "b"}, .removed = {"c"}}), decode_names);
    for (std::size_t size = 0; size < 4; ++size) {
        const Bytes zeros = as_bytes(std::string_view("\xff\xff\xff\xff", size));
        EXPECT_FALSE(decode_event(MessageType::image, zeros)) << size;
        EXPECT_FALSE(decode_event(MessageType::delta, zeros)) << size;
        EXPECT_FALSE(decode_event(MessageType::subscribe_refused, zeros)) << size;
        EXPECT_FALSE(decode_rpc_request(zeros)) << size;
        EXPECT_FALSE(decode_rpc_reply(zeros)) << size;
    }
}

TEST(RecordMessages, UnknownFlagsAndBadNamesAreRefused) {
    const auto with = [](Buffer body, std::size_t at, unsigned byte) {
        body[at] = static_cast<std::byte>(byte);
        return body;
    };
    EXPECT_FALSE(decode_names(with(encoded_message(Names{}), 0, 4)));
    EXPECT_FALSE(decode_names(with(encoded_message(Names{.added = {"a"}}), 3, '/')));
    EXPECT_FALSE(decode_names(encoded_message(Names{.removed = {".x"}})));
    EXPECT_FALSE(decode_rpc_request(
        with(encoded_message(RpcRequest{.call = {1}, .name = "a", .arguments = {}}), 1, 2)));
    EXPECT_FALSE(
        decode_rpc_request(encoded_message(RpcRequest{.call = {1}, .name = "", .arguments = {}})));
    EXPECT_FALSE(decode_rpc_reply(with(encoded_message(RpcReply{{1}, some_bytes}), 1, 2)));
    EXPECT_FALSE(decode_subscribe(encoded_message(Subscribe{{1}, "a", std::string(256, 't')})));
}

TEST(RecordMessages, AListThatClaimsMoreThanItHasIsRefusedBeforeMemoryIsSpent) {
    const Buffer body{std::byte{0}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff},
                      std::byte{0xff}, std::byte{0x0f}};
    EXPECT_FALSE(decode_names(body));
}

TEST(RecordMessages, AreReadAsWritten) {
    const Buffer subscribe_body = encoded_message(Subscribe{{7}, "record", "t"});
    const auto subscribe = decode_subscribe(subscribe_body);
    EXPECT_EQ(subscribe->subscription, SubscriptionId{7});
    EXPECT_EQ(subscribe->record, "record");
    EXPECT_EQ(subscribe->token, "t");
    EXPECT_EQ(decode_unsubscribe(encoded_message(Unsubscribe{{8}}))->subscription,
              SubscriptionId{8});
    EXPECT_EQ(decode_resync(encoded_message(Resync{{9}}))->subscription, SubscriptionId{9});

    for (const MessageType type : {MessageType::image, MessageType::delta}) {
        const Buffer body = encoded_message(Event{type, {1}, {2}, {UINT64_MAX}, some_bytes});
        const auto event = decode_event(type, body);
        EXPECT_EQ(event->type, type);
        EXPECT_EQ(event->subscription, SubscriptionId{1});
        EXPECT_EQ(event->epoch, Epoch{2});
        EXPECT_EQ(event->sequence, Sequence{UINT64_MAX});
        EXPECT_EQ(as_text(event->bytes), "some bytes");
    }
    const Buffer why =
        encode_reason({.code = Errc::denied, .effect = Effect::none, .detail = "no"});
    const Buffer refused_body = encoded_message(
        Event{.type = MessageType::subscribe_refused, .subscription = {4}, .bytes = why});
    const auto refused = decode_event(MessageType::subscribe_refused, refused_body);
    EXPECT_EQ(refused->subscription, SubscriptionId{4});
    EXPECT_EQ(reason(*refused).code, Errc::denied);
    EXPECT_EQ(reason(*refused).detail, "no");
    EXPECT_FALSE(decode_event(MessageType::notices, refused_body));

    const Buffer names_body = encoded_message(
        Names{.restarts = true, .completes = true, .added = {"a", "b"}, .removed = {"c"}});
    const auto names = decode_names(names_body);
    EXPECT_TRUE(names->restarts && names->completes);
    EXPECT_EQ(names->added, (std::vector<std::string_view>{"a", "b"}));
    EXPECT_EQ(names->removed, (std::vector<std::string_view>{"c"}));
}

TEST(RecordMessages, CallsAreReadAsWritten) {
    const RpcRequest sent{.call = {5},
                          .answer = Answer::unwanted,
                          .timeout_ms = 5000,
                          .epoch = {3},
                          .name = "sum of",
                          .arguments = some_bytes};
    const Buffer body = encoded_message(sent);
    const auto request = decode_rpc_request(body);
    EXPECT_EQ(request->call, CallId{5});
    EXPECT_EQ(request->answer, Answer::unwanted);
    EXPECT_EQ(request->timeout_ms, 5000U);
    EXPECT_EQ(request->epoch, Epoch{3});
    EXPECT_EQ(request->name, "sum of");
    EXPECT_EQ(as_text(request->arguments), "some bytes");

    const Buffer done_body = encoded_message(RpcReply{{5}, some_bytes});
    const auto done = decode_rpc_reply(done_body);
    EXPECT_EQ(as_text(std::get<Bytes>(done->outcome)), "some bytes");

    const Error error{.code = Errc::failed, .effect = Effect::unknown, .detail = "half-way"};
    const auto failed = decode_rpc_reply(encoded_message(RpcReply{{5}, error}));
    EXPECT_EQ(std::get<Error>(failed->outcome).code, Errc::failed);
    EXPECT_EQ(std::get<Error>(failed->outcome).effect, Effect::unknown);
    EXPECT_EQ(std::get<Error>(failed->outcome).detail, "half-way");

    Buffer head;
    encode_head(sent, head);
    head.insert(head.end(), some_bytes.begin(), some_bytes.end());
    EXPECT_EQ(head, body);
}

// An effect of a later release counts as the cautious one.
TEST(RecordMessages, AnEffectThatIsNotKnownCountsAsUnknown) {
    Buffer body = encoded_message(RpcReply{{5}, Error{.code = Errc::refused}});
    body[4] = std::byte{9};
    EXPECT_EQ(std::get<Error>(decode_rpc_reply(body)->outcome).effect, Effect::unknown);
}

}  // namespace
}  // namespace understudy::record
