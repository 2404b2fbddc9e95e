#include "understudy/value.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "understudy/record.h"

namespace understudy {
namespace {

const double not_a_number = std::numeric_limits<double>::quiet_NaN();

TEST(Value, HoldsExactlyOneType) {
    EXPECT_EQ(Value("a").type(), ValueType::text);
    EXPECT_EQ(Value(7).type(), ValueType::integer);
    EXPECT_EQ(Value(7U).type(), ValueType::integer);
    EXPECT_EQ(Value(7.0F).type(), ValueType::real);
    EXPECT_EQ(Value(Blob(1)).type(), ValueType::bytes);
    EXPECT_EQ(Value(7).text(), nullptr);
    EXPECT_EQ(Value("7").integer(), nullptr);
    EXPECT_EQ(*Value("7").text(), "7");
    EXPECT_EQ(Value(), Value(""));
}

TEST(Value, OfAnotherTypeOrOtherBitsIsNotEqual) {
    EXPECT_FALSE(Value(1) == Value(1.0));
    EXPECT_FALSE(Value(1) == Value("1"));
    EXPECT_FALSE(Value("a") == Value(Blob{std::byte{'a'}}));
    EXPECT_FALSE(Value(0.0) == Value(-0.0));
    EXPECT_TRUE(Value(not_a_number) == Value(not_a_number));
}

TEST(Value, ConvertsToIntegerOnlyWithoutLoss) {
    EXPECT_EQ(Value("3").to_integer(), 3);
    EXPECT_EQ(Value(3.0).to_integer(), 3);
    EXPECT_EQ(Value(std::numeric_limits<std::int64_t>::min()).to_integer(),
              std::numeric_limits<std::int64_t>::min());
    for (const Value& value : {Value("3x"), Value(""), Value(" 3"), Value("9223372036854775808"),
                               Value(3.5), Value(not_a_number), Value(9223372036854775808.0),
                               Value(-1e19), Value(Blob{std::byte{3}})}) {
        EXPECT_EQ(value.to_integer(), std::nullopt) << value.to_text();
    }
    EXPECT_EQ(Value(-9223372036854775808.0).to_integer(), std::numeric_limits<std::int64_t>::min());
}

TEST(Value, ConvertsToReal) {
    EXPECT_EQ(Value("3.5").to_real(), 3.5);
    EXPECT_EQ(Value(3).to_real(), 3.0);
    EXPECT_EQ(Value("3.5 ").to_real(), std::nullopt);
    EXPECT_EQ(Value(Blob()).to_real(), std::nullopt);
}

TEST(Value, IsShownAsPeopleWriteIt) {
    EXPECT_EQ(Value("as it is").to_text(), "as it is");
    EXPECT_EQ(Value(-7).to_text(), "-7");
    EXPECT_EQ(Value(0.1).to_text(), "0.1");
    EXPECT_EQ(Value(-1.7976931348623157e308).to_text(), "-1.7976931348623157e+308");
    EXPECT_EQ(Value(Blob{std::byte{0}, std::byte{0xaf}}).to_text(), "00af");
    EXPECT_EQ(name(ValueType::real), "real");
}

TEST(RecordImage, AnswersOnlyForTheRightTypeAndName) {
    RecordImage image;
    image.fields["text"] = "a";
    image.fields["number"] = 7;
    image.fields["real"] = 0.5;
    image.fields["bytes"] = Blob{std::byte{1}};
    image.submaps["map"]["inner"] = 8;

    EXPECT_EQ(image.text("text"), "a");
    EXPECT_EQ(image.text("number"), std::nullopt);
    EXPECT_EQ(image.text("none"), std::nullopt);
    EXPECT_EQ(image.text("number", "otherwise"), "otherwise");
    EXPECT_EQ(image.integer("number"), 7);
    EXPECT_EQ(image.integer("text", -1), -1);
    EXPECT_EQ(image.real("real"), 0.5);
    EXPECT_EQ(image.real("number", 2.0), 2.0);
    EXPECT_EQ(image.bytes("bytes")->size(), 1U);
    EXPECT_FALSE(image.bytes("text"));
    ASSERT_NE(image.find("map", "inner"), nullptr);
    EXPECT_EQ(*image.find("map", "inner"), Value(8));
    EXPECT_EQ(image.find("map", "none"), nullptr);
    EXPECT_EQ(image.find("none", "inner"), nullptr);
    EXPECT_EQ(image.submap("none"), nullptr);

    image.clear();
    EXPECT_TRUE(image.empty());
}

}  // namespace
}  // namespace understudy
