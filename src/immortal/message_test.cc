#include "immortal/message.h"

#include <gtest/gtest.h>

#include "immortal/command.h"

namespace understudy::immortal {
namespace {

Buffer stream(std::initializer_list<Message> messages) {
    Buffer out;
    for (const Message& message : messages) encode(message, out);
    return out;
}

TEST(Message, ComesBackAsItWas) {
    const Buffer bytes =
        stream({{.kind = MessageKind::one_way, .name = "add", .body = as_bytes("1")},
                {.kind = MessageKind::call, .id = 300, .name = "ask"},
                {.kind = MessageKind::reply, .id = 7, .body = as_bytes("x")}});
    ByteReader in(bytes);
    const auto one_way = decode_message(in);
    ASSERT_TRUE(one_way);
    EXPECT_EQ(one_way->name, "add");
    EXPECT_EQ(as_text(one_way->body), "1");
    const auto call = decode_message(in);
    ASSERT_TRUE(call);
    EXPECT_EQ(call->id, 300u);
    const auto reply = decode_message(in);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->kind, MessageKind::reply);
    EXPECT_TRUE(in.done());
}

TEST(Message, NoPrefixOfAStreamIsTakenForAll) {
    const Buffer bytes = stream({{.kind = MessageKind::call, .id = 1, .name = "n"},
                                 {.kind = MessageKind::refusal, .id = 2, .body = as_bytes("b")}});
    Buffer batch = encode_batch_head({.first = {1}, .count = 2, .messages = {}});
    const std::size_t head = batch.size();
    batch.insert(batch.end(), bytes.begin(), bytes.end());
    EXPECT_TRUE(decode_batch(batch));
    for (std::size_t size = 0; size < batch.size(); ++size) {
        EXPECT_FALSE(decode_batch(Bytes(batch).first(size))) << size << " of head " << head;
    }
    batch.push_back(std::byte{1});
    EXPECT_FALSE(decode_batch(batch));
}

TEST(Message, KindsNobodyKnowsAreRefused) {
    for (const int kind : {0, 5, 255}) {
        const Buffer bytes{static_cast<std::byte>(kind), std::byte{0}, std::byte{0}};
        ByteReader in(bytes);
        EXPECT_FALSE(decode_message(in));
        EXPECT_TRUE(in.failed());
    }
}

TEST(Batch, NumbersThatCannotBeAreRefused) {
    for (const Batch& batch : {Batch{.first = {0}, .count = 1}, Batch{.first = {1}, .count = 0},
                               Batch{.first = {1}, .count = batch_count_max + 1},
                               Batch{.first = {~std::uint64_t{0}}, .count = 1}}) {
        EXPECT_FALSE(decode_batch(encode_batch_head(batch))) << batch.first.value;
    }
}

TEST(Refusal, TellsTheSameErrorThere) {
    const Error error = decode_refusal(
        encode_refusal({.code = Errc::failed, .effect = Effect::unknown, .detail = "x"}));
    EXPECT_EQ(error.code, Errc::failed);
    EXPECT_EQ(error.effect, Effect::unknown);
    EXPECT_EQ(error.detail, "x");
    EXPECT_EQ(decode_refusal(as_bytes("")).code, Errc::corrupt);
}

TEST(Command, EachComesBackAndNoPrefixOfItDoes) {
    const Buffer messages = stream({{.kind = MessageKind::call, .id = 1, .name = "n"}});
    const std::vector<AnyCommand> commands = {
        StartCommand{.instance = 5, .seed = 6, .wall_ms = 7, .version = 8},
        ReceiveCommand{.source = "server",
                       .instance = 9,
                       .wall_ms = 1,
                       .batch = {.first = {3}, .count = 1, .messages = messages}},
        ConfirmCommand{.rows = {{.peer = "a", .instance = 1, .upto = {2}},
                                {.peer = "b", .instance = 3, .upto = {400}}}},
        FireCommand{.wall_ms = 1, .timers = {1, 2, 300}},
        UpgradeCommand{.wall_ms = 1, .version = 2}, ForgetCommand{.peer = "server"}};
    for (const AnyCommand& command : commands) {
        const Buffer bytes = encode(command);
        const auto again = decode_command(bytes);
        ASSERT_TRUE(again) << command.index();
        ASSERT_EQ(again->index(), command.index());
        EXPECT_EQ(encode(*again), bytes);
    }
    for (std::size_t size = 0; size < encode(commands[2]).size(); ++size) {
        EXPECT_FALSE(decode_command(Bytes(encode(commands[2])).first(size)));
    }
    const Buffer impulse =
        encode(ImpulseCommand{.wall_ms = 9, .name = "go", .arguments = as_bytes("abc")});
    EXPECT_EQ(as_text(std::get<ImpulseCommand>(*decode_command(impulse)).arguments), "abc");
}

}  // namespace
}  // namespace understudy::immortal
