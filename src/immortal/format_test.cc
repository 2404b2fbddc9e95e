// The examples in docs/formats/immortal.md, encoded and decoded.
#include <gtest/gtest.h>

#include "immortal/fake_application_test.h"
#include "immortal/machine.h"
#include "wire/worked_example_test.h"

namespace understudy::immortal {
namespace {

struct Nobody final : Machine::Observer {
    void output_ready(const std::string&) override {}
    void input_durable(const std::string&, MessageNo) override {}
    void timers_changed() override {}
    void image_ready() override {}
    void broken(const Error&) override {}
};

Buffer documented(const std::string& name) {
    return wire::worked_example("immortal.md", name);
}

void carry_out(Machine& machine, const Buffer& body) {
    Buffer reply;
    machine.apply({.index = {1}, .body = body}, reply);
}

TEST(ImmortalFormat, CommandsAreWrittenAndReadAsDocumented) {
    const Buffer start =
        encode(StartCommand{.instance = 11, .seed = 5, .wall_ms = 1, .version = 2});
    EXPECT_EQ(start, documented("start"));

    Buffer messages;
    encode({.kind = MessageKind::one_way, .name = "add", .body = as_bytes("1")}, messages);
    encode({.kind = MessageKind::call, .id = 40, .name = "add", .body = as_bytes("5")}, messages);
    EXPECT_EQ(encode(ReceiveCommand{.source = "client",
                                    .instance = 7,
                                    .wall_ms = 2,
                                    .batch = {.first = {1}, .count = 2, .messages = messages}}),
              documented("receive"));
    EXPECT_EQ(
        encode(ConfirmCommand{.rows = {{.peer = "client", .instance = 7, .upto = {44}}}}),
        documented("confirm"));
    for (const char* name : {"start", "receive", "confirm"}) {
        const Buffer bytes = documented(name);
        const auto command = decode_command(bytes);
        ASSERT_TRUE(command) << name;
        EXPECT_EQ(encode(*command), bytes);
    }
}

TEST(ImmortalFormat, ACheckpointIsWrittenAndReadAsDocumented) {
    FakeApplication application;
    Nobody nobody;
    Machine machine("server", application, nobody);
    carry_out(machine, documented("start"));
    carry_out(machine, documented("receive"));
    const auto snapshot = machine.begin_snapshot();
    Buffer envelope;
    Buffer outbox;
    ASSERT_TRUE(snapshot->next(envelope, 1));
    ASSERT_TRUE(snapshot->next(outbox, 1));
    EXPECT_EQ(envelope, documented("envelope"));
    EXPECT_EQ(outbox, documented("outbox"));

    FakeApplication other;
    Machine again("server", other, nobody);
    ASSERT_TRUE(again.restore_piece(documented("envelope"), {.first = true, .last = false}));
    ASSERT_TRUE(again.restore_piece(documented("outbox"), {.first = false, .last = false}));
    Buffer rest;
    ASSERT_FALSE(snapshot->next(rest, 1 * MiB));
    ASSERT_TRUE(again.restore_piece(rest, {.first = false, .last = true}));
    EXPECT_EQ(again.hash(), machine.hash());
}

}  // namespace
}  // namespace understudy::immortal
