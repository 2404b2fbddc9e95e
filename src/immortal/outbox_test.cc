#include "immortal/outbox.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy::immortal {
namespace {

MessageNo add(Outbox& outbox, const std::string& text) {
    return outbox.append({.kind = MessageKind::one_way, .name = "add", .body = as_bytes(text)});
}

/// All messages from `from` on, as texts.
std::vector<std::string> texts(Outbox& outbox, MessageNo from) {
    std::vector<std::string> found;
    while (const Outbox::ChunkPtr chunk = outbox.at(from)) {
        ByteReader in(chunk->messages);
        MessageNo number = chunk->first;
        for (; number <= chunk->last(); number = number.next()) {
            const auto message = decode_message(in);
            if (number >= from) found.emplace_back(as_text(message->body));
        }
        EXPECT_TRUE(in.done());
        from = number;
    }
    return found;
}

TEST(Outbox, NumbersFromOneAndKeepsUntilConfirmed) {
    Outbox outbox;
    EXPECT_TRUE(outbox.empty());
    EXPECT_EQ(add(outbox, "a"), MessageNo{1});
    EXPECT_EQ(add(outbox, "b"), MessageNo{2});
    EXPECT_EQ(texts(outbox, {1}), (std::vector<std::string>{"a", "b"}));
    add(outbox, "c");
    EXPECT_EQ(texts(outbox, {2}), (std::vector<std::string>{"b", "c"}));
    outbox.confirm({2});
    outbox.confirm({1});
    EXPECT_EQ(outbox.confirmed(), MessageNo{2});
    EXPECT_EQ(texts(outbox, {3}), (std::vector<std::string>{"c"}));
    outbox.confirm({3});
    EXPECT_TRUE(outbox.empty());
    EXPECT_EQ(outbox.bytes(), 0u);
    EXPECT_EQ(add(outbox, "d"), MessageNo{4});
    EXPECT_EQ(texts(outbox, {4}), (std::vector<std::string>{"d"}));
}

TEST(Outbox, WhatIsMadeAgainAfterItWasConfirmedIsNotKept) {
    Outbox outbox;
    outbox.confirm({2});
    add(outbox, "a");
    add(outbox, "b");
    EXPECT_TRUE(outbox.empty());
    EXPECT_EQ(outbox.at({3}), nullptr);
    add(outbox, "c");
    EXPECT_EQ(texts(outbox, {3}), (std::vector<std::string>{"c"}));
}

TEST(Outbox, AChunkThatSomebodyHasDoesNotChange) {
    Outbox outbox;
    add(outbox, "a");
    const Outbox::ChunkPtr chunk = outbox.at({1});
    add(outbox, "b");
    EXPECT_EQ(chunk->count, 1u);
    EXPECT_EQ(texts(outbox, {1}), (std::vector<std::string>{"a", "b"}));
}

TEST(Outbox, HowItIsCutIsNoPartOfWhatItIs) {
    Outbox cut;
    Outbox whole;
    for (int i = 0; i < 20'000; ++i) {
        add(cut, std::to_string(i));
        add(whole, std::to_string(i));
        if (i % 7 == 0) (void)cut.at({1});
    }
    EXPECT_EQ(cut.chain(), whole.chain());
    EXPECT_EQ(cut.bytes(), whole.bytes());
    EXPECT_EQ(texts(cut, {1}), texts(whole, {1}));
}

TEST(Outbox, ComesBackFromItsImageAsItWasThen) {
    Outbox outbox;
    for (int i = 1; i <= 10'000; ++i) add(outbox, std::to_string(i));
    outbox.confirm({77});
    Outbox::Image image = outbox.image();
    const std::uint64_t chain = outbox.chain();
    add(outbox, "later");
    outbox.confirm({9'000});

    Outbox again;
    again.restore(image.confirmed, image.next, image.chain);
    EXPECT_FALSE(again.whole());
    while (!image.chunks.empty()) {
        Buffer piece;
        Outbox::take_batch(image, piece);
        ASSERT_TRUE(again.restore(*decode_batch(piece)));
    }
    EXPECT_TRUE(again.whole());
    EXPECT_EQ(again.chain(), chain);
    EXPECT_EQ(again.next(), MessageNo{10'001});
    const auto found = texts(again, {78});
    ASSERT_EQ(found.size(), 10'000u - 77);
    EXPECT_EQ(found.front(), "78");
    EXPECT_EQ(found.back(), "10000");
}

TEST(Outbox, AnImageWithAGapIsRefused) {
    Outbox outbox;
    outbox.restore({5}, {9}, 0);
    Buffer messages;
    encode({.kind = MessageKind::reply, .id = 1}, messages);
    EXPECT_FALSE(outbox.restore({.first = {7}, .count = 1, .messages = messages}));
    EXPECT_TRUE(outbox.restore({.first = {6}, .count = 1, .messages = messages}));
    EXPECT_FALSE(outbox.restore({.first = {7}, .count = 3, .messages = messages}));
    EXPECT_FALSE(outbox.whole());
}

}  // namespace
}  // namespace understudy::immortal
