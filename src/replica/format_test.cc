// The worked examples of docs/formats/session.md, in both directions.
#include <gtest/gtest.h>

#include "replica/checkpoint_stream.h"
#include "replica/pack.h"
#include "wire/worked_example_test.h"

namespace understudy::replica {
namespace {

class Text final : public SmallStateMachine {
public:
    void apply(const Command&, Buffer&) override {}
    void snapshot(Buffer& out) const override { ByteWriter(out).raw(as_bytes(text)); }
    Result<void> restore(Bytes state) override {
        text = as_text(state);
        return {};
    }
    std::string text;
};

TEST(SessionFormat, APackIsWrittenAndReadAsDocumented) {
    const Buffer documented = wire::worked_example("session.md", "pack");
    Buffer written;
    encode({.kind = ItemKind::command, .body = as_bytes("hi")}, 1500ms, written);
    encode({.kind = ItemKind::request,
            .request = {.session = {3}, .number = {7}, .answered = {5}},
            .body = as_bytes("x")},
           1500ms, written);
    EXPECT_EQ(written, documented);

    PackReader reader(documented);
    EXPECT_EQ(reader.time(), 1500ms);
    EXPECT_EQ(as_text(reader.next()->body), "hi");
    EXPECT_EQ(reader.next()->request.answered, RequestNo{5});
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.done());
}

TEST(SessionFormat, ACheckpointIsWrittenAndReadAsDocumented) {
    const Buffer documented = wire::worked_example("session.md", "checkpoint");
    Replicated replicated;
    Text machine;
    ASSERT_TRUE(CheckpointSink(replicated, machine).take(documented, true, true));
    EXPECT_EQ(replicated.time, 2000ms);
    EXPECT_EQ(machine.text, "[hi]");
    const auto found = replicated.sessions.find({.session = {3}, .number = {7}});
    EXPECT_EQ(as_text(found.reply), "ok");

    CheckpointSource source(replicated, machine);
    Buffer written;
    ASSERT_FALSE(*source.next(written, 1 * MiB));
    EXPECT_EQ(written, documented);
}

TEST(SessionFormat, WhatIsNoPackIsNotReadToItsEnd) {
    const auto done = [](std::initializer_list<int> bytes) {
        Buffer body;
        for (const int byte : bytes) body.push_back(static_cast<std::byte>(byte));
        PackReader reader(body);
        while (reader.next()) {
        }
        return reader.done();
    };
    EXPECT_FALSE(done({}));
    EXPECT_TRUE(done({0}));
    EXPECT_FALSE(done({0x80})) << "half a time";
    EXPECT_FALSE(done({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})) << "a time too long";
    for (const int kind : {5, 6, 7}) EXPECT_FALSE(done({0, kind})) << kind;
    EXPECT_FALSE(done({0, 0x10, 'x'})) << "cut short";
    EXPECT_FALSE(done({0, 0x0a, 'x'})) << "an open with a body";
    EXPECT_FALSE(done({0, 0x09, 3, 7})) << "a request without its end";
}

}  // namespace
}  // namespace understudy::replica
