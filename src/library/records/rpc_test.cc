#include "understudy/rpc.h"

#include <limits>

#include <gtest/gtest.h>

#include "library/records/call_bytes.h"
#include "understudy/limits.h"

namespace understudy {
namespace {

TEST(Arguments, WhatIsNoJsonObjectIsRefusedAndSaysWhere) {
    for (const char* text : {"", "{", "[1]", "3", "{\"a\":}"}) {
        const auto refused = Arguments::from_json(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().code, Errc::bad_config);
        EXPECT_FALSE(refused.error().detail.empty());
    }
}

TEST(Arguments, TypesAreExactButForWholeNumbersAsReals) {
    const Arguments arguments{{"symbol", "ABC"}, {"quantity", 100}, {"price", 1.5},
                              {"raw", Blob{std::byte{1}}}};
    EXPECT_EQ(arguments.text("symbol"), "ABC");
    EXPECT_EQ(arguments.integer("quantity"), 100);
    EXPECT_EQ(arguments.real("quantity"), 100.0);
    EXPECT_EQ(arguments.real("price"), 1.5);
    EXPECT_EQ(arguments.integer("price"), std::nullopt);
    EXPECT_EQ(arguments.text("quantity"), std::nullopt);
    EXPECT_EQ(arguments.bytes("raw")->size(), 1U);
    EXPECT_EQ(arguments.text("absent"), std::nullopt);
}

TEST(Arguments, TravelAsTheyAre) {
    const Arguments sent{{"a", "x"}, {"b", -7}, {"c", 0.1}, {"d", Blob{std::byte{0xff}}}};
    const auto received = Arguments::from_bytes(sent.to_bytes());
    ASSERT_TRUE(received);
    EXPECT_EQ(received->values(), sent.values());
    EXPECT_EQ(received->json(), R"({"a":"x","b":-7,"c":0.1,"d":{"$bytes":"ff"}})");
}

TEST(Arguments, JsonThatIsRicherThanValuesTravelsWhole) {
    const char* text = R"({"flag":true,"list":[1,{"deep":null}],"n":18446744073709551615,"s":"x"})";
    const auto sent = Arguments::from_json(text);
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->text("s"), "x");
    EXPECT_EQ(sent->values().size(), 1U);
    const auto received = Arguments::from_bytes(sent->to_bytes());
    ASSERT_TRUE(received);
    EXPECT_EQ(received->json(), text);
    EXPECT_EQ(received->to_bytes(), sent->to_bytes());
}

TEST(Arguments, APeersOddBytesAreRefusedOrKept) {
    EXPECT_FALSE(Arguments::from_bytes({}));
    EXPECT_FALSE(Arguments::from_bytes(Buffer{std::byte{0xc1}}));
    EXPECT_FALSE(Arguments::from_bytes(Buffer{std::byte{0x01}}));  // A number.
    // {"a": {"$bytes": "zz"}} is a map for MessagePack, and would be bytes for JSON.
    const std::string odd = "\x81\xa1" "a\x81\xa6$bytes\xa2zz";
    const auto received = Arguments::from_bytes(as_bytes(odd));
    ASSERT_TRUE(received);
    EXPECT_EQ(as_text(received->to_bytes()), odd);
}

TEST(Arguments, WhatTheOtherSideCouldNotReadIsNotSent) {
    EXPECT_EQ(library::encode(Arguments{{"a", "\xff"}}).error().code, Errc::bad_config);
    EXPECT_EQ(library::encode(Arguments{{"\xff", 1}}).error().code, Errc::bad_config);
    const auto large = library::encode(Arguments{{"a", std::string(arguments_size_max, 'x')}});
    EXPECT_EQ(large.error().code, Errc::limit_exceeded);
    Fields many;
    for (int i = 0; i < 50'000; ++i) many.emplace(std::to_string(i), 1);
    EXPECT_EQ(library::encode(Arguments(many)).error().code, Errc::limit_exceeded);
    many.erase(many.begin());
    const auto most = library::encode(Arguments(many));
    ASSERT_TRUE(most);
    EXPECT_TRUE(Arguments::from_bytes(*most));
}

TEST(CallResult, IsAValueJsonOrNothing) {
    EXPECT_EQ(CallResult().json(), "null");
    EXPECT_EQ(CallResult(Value(3)).integer(), 3);
    EXPECT_EQ(CallResult(Value(3)).real(), 3.0);
    EXPECT_EQ(CallResult(Value("x")).text(), "x");
    for (const char* text : {"null", "true", "[1,2.0]", "3", "\"x\"", R"({"a":1})"}) {
        const auto result = CallResult::from_json(text);
        ASSERT_TRUE(result) << text;
        const auto received = CallResult::from_bytes(result->to_bytes());
        ASSERT_TRUE(received) << text;
        EXPECT_EQ(received->json(), text);
        EXPECT_EQ(received->value(), result->value());
    }
    EXPECT_FALSE(CallResult::from_json("{").operator bool());
}

TEST(CallResult, OneTooLargeOrUnreadableHasRunAllTheSame) {
    const auto large = library::encode(CallResult(Value(std::string(result_size_max + 1, 'x'))));
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, Errc::limit_exceeded);
    EXPECT_EQ(large.error().effect, Effect::unknown);
    EXPECT_EQ(library::encode(CallResult(Value("\xff"))).error().effect, Effect::unknown);
}

}  // namespace
}  // namespace understudy
