#include "wire/json.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "wire/dynamic_sample_test.h"

namespace understudy::wire {
namespace {

TEST(Json, MalformedTextIsRefusedWithItsPosition) {
    for (const std::string_view text :
         {"", " ", "nul", "{", "[1,]", "{\"a\":}", "{a:1}", "'a'", "\"a", "\"\\x\"", "01", "1 2",
          "[1] x", "\"\xff\"", "\"\\ud800\"", "// no", "+1", ".5", "NaN"}) {
        const auto parsed = parse_json(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Errc::corrupt) << text;
        EXPECT_EQ(parsed.error().detail.find("JSON, byte "), 0U) << parsed.error().detail;
    }
    EXPECT_NE(parse_json("[1, x]").error().detail.find("byte 4"), std::string::npos)
        << parse_json("[1, x]").error().detail;
    EXPECT_NE(parse_json("{\"a\":1,\"a\":2}").error().detail.find("key twice"), std::string::npos);
}

TEST(Json, DepthNumberOfValuesAndNumbersAreBounded) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(parse_json(nested(32)));
    EXPECT_EQ(parse_json(nested(33)).error().code, Errc::limit_exceeded);
    EXPECT_EQ(parse_json(std::string(1 * MiB, '[')).error().code, Errc::limit_exceeded);
    std::string many = "[0";
    for (int i = 0; i < 100'000; ++i) many += ",0";
    EXPECT_EQ(parse_json(many + "]").error().code, Errc::limit_exceeded);
    EXPECT_EQ(parse_json("1e999").error().code, Errc::limit_exceeded);
}

TEST(Json, ReadsWhatPeopleWrite) {
    EXPECT_EQ(parse_json(" { \"a\" : [ 1 , 2.5 , true , null , \"x\\u00e9\\n\" ] } ")
                  .value_or_throw(),
              (Dynamic::Map{{"a", Dynamic::Array{1, 2.5, true, Dynamic(), "xé\n"}}}));
    EXPECT_EQ(parse_json("18446744073709551615").value_or_throw(), Dynamic(UINT64_MAX));
    EXPECT_EQ(parse_json("-9223372036854775808").value_or_throw(), Dynamic(INT64_MIN));
    EXPECT_EQ(parse_json("1e2").value_or_throw(), Dynamic(100.0));
    EXPECT_EQ(parse_json("0.1").value_or_throw(), Dynamic(0.1));
    EXPECT_EQ(parse_json("1e-400").value_or_throw(), Dynamic(0.0));
    EXPECT_EQ(parse_json("{\"$bytes\":\"00fF\"}").value_or_throw(),
              Dynamic(Buffer{std::byte{0}, std::byte{0xff}}));
    EXPECT_EQ(parse_json("{\"$bytes\":\"0\"}").value_or_throw(),
              (Dynamic::Map{{"$bytes", "0"}}));
}

TEST(Json, WritesWhatEveryParserReads) {
    EXPECT_EQ(to_json(Dynamic::Map{{"b", Dynamic::Array{}}, {"a", Dynamic::Map{}}}),
              "{\"a\":{},\"b\":[]}");
    EXPECT_EQ(to_json("quote\" slash\\ line\n\x01\x7f é"),
              "\"quote\\\" slash\\\\ line\\n\\u0001\\u007f é\"");
    EXPECT_EQ(to_json(3.0), "3.0");
    EXPECT_EQ(to_json(-0.0), "-0.0");
    EXPECT_EQ(to_json(1e300), "1e+300");
    EXPECT_EQ(to_json(std::numeric_limits<double>::infinity()), "null");
    EXPECT_EQ(to_json(UINT64_MAX), "18446744073709551615");
    EXPECT_EQ(to_json(Buffer{std::byte{0xab}}), "{\"$bytes\":\"ab\"}");
}

// Doubles are read exactly, to the last bit.
TEST(Json, RandomTreesAreReadAsWritten) {
    Random random(12);
    for (int turn = 0; turn < 2000; ++turn) {
        const Dynamic value = sample(random);
        const auto parsed = parse_json(to_json(value));
        ASSERT_TRUE(parsed) << "turn " << turn << ": " << to_json(value)
                            << to_string(parsed.error());
        EXPECT_EQ(*parsed, value) << "turn " << turn << ": " << to_json(value);
    }
}

}  // namespace
}  // namespace understudy::wire
