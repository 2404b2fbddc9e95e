#include "node/immortal/immortal_handshake.h"

#include <gtest/gtest.h>

#include "wire/worked_example_test.h"

namespace understudy::node {
namespace {

Buffer documented(const std::string& name) {
    return wire::worked_example("../protocols/immortals.md", name);
}

const ImmortalHello hello{.service = "bank",
                          .name = "shop",
                          .member = "s1",
                          .instance = 7,
                          .epoch = {3},
                          .known = 9,
                          .received = {300},
                          .confirmed = {5}};
const ImmortalAnswer welcome = ImmortalWelcome{.member = "b2",
                                               .epoch = {4},
                                               .instance = 9,
                                               .received = {6},
                                               .confirmed = {256},
                                               .made = {300}};
const ImmortalAnswer elsewhere =
    ImmortalElsewhere{.member = "b2", .epoch = {4}, .address = {.host = "h1", .port = 7772}};
const CallsDurable durable{.upto = {300}, .asks = true};

TEST(ImmortalHandshake, IsWrittenAndReadAsDocumented) {
    EXPECT_EQ(encode(hello), documented("immortal_hello"));
    EXPECT_EQ(encode(welcome), documented("immortal_welcome"));
    EXPECT_EQ(encode(elsewhere), documented("immortal_elsewhere"));
    EXPECT_EQ(encode(durable), documented("calls_durable"));

    EXPECT_EQ(*decode_hello(documented("immortal_hello")), hello);
    EXPECT_EQ(*decode_answer(documented("immortal_welcome")), welcome);
    EXPECT_EQ(*decode_answer(documented("immortal_elsewhere")), elsewhere);
    EXPECT_EQ(*decode_durable(documented("calls_durable")), durable);
}

TEST(ImmortalHandshake, WhatIsCutShortOrTooLongIsRefused) {
    for (const Buffer& whole : {encode(hello), encode(welcome), encode(elsewhere)}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const Bytes part = Bytes(whole).first(size);
            EXPECT_FALSE(decode_hello(part)) << size;
            EXPECT_FALSE(decode_answer(part)) << size;
        }
        Buffer longer = whole;
        longer.push_back(std::byte{0});
        EXPECT_FALSE(decode_hello(longer));
        EXPECT_FALSE(decode_answer(longer));
    }
    Buffer longer = encode(durable);
    EXPECT_FALSE(decode_durable(Bytes(longer).first(1)));
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode_durable(longer));
}

TEST(ImmortalHandshake, AnotherProtocolOrVersionIsSaidToBeThat) {
    Buffer other = encode(hello);
    other[4] = std::byte{2};
    EXPECT_EQ(decode_hello(other).error().code, Errc::refused);
    other[0] = std::byte{'X'};
    EXPECT_EQ(decode_hello(other).error().code, Errc::refused);
}

TEST(ImmortalHandshake, HelloOfNobodyAndUnknownFlagsAreCorrupt) {
    ImmortalHello nobody = hello;
    nobody.instance = 0;
    EXPECT_EQ(decode_hello(encode(nobody)).error().code, Errc::corrupt);
    nobody = hello;
    nobody.name.clear();
    EXPECT_EQ(decode_hello(encode(nobody)).error().code, Errc::corrupt);
    nobody = hello;
    nobody.name = std::string(129, 'a');
    EXPECT_EQ(decode_hello(encode(nobody)).error().code, Errc::corrupt);
    Buffer flags = encode(hello);
    flags.back() = std::byte{2};
    EXPECT_EQ(decode_hello(flags).error().code, Errc::corrupt);
    EXPECT_FALSE(decode_durable(Buffer{std::byte{1}, std::byte{4}}));
}

}  // namespace
}  // namespace understudy::node
