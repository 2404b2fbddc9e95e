#include "record/arguments.h"

#include <gtest/gtest.h>

#include "understudy/limits.h"
#include "wire/msgpack.h"

namespace understudy::record {
namespace {

Result<Fields> decoded(const wire::Dynamic& tree) {
    Buffer bytes;
    EXPECT_TRUE(wire::encode_msgpack(tree, bytes));
    return decode_arguments(bytes);
}

TEST(Arguments, RicherTypesAreRefusedByName) {
    const auto refused = decoded(wire::Dynamic::Map{{"list", wire::Dynamic::Array{}}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::bad_config);
    EXPECT_EQ(refused.error().detail,
              "argument 'list': text, integer, real or bytes wanted, not array");
    for (const wire::Dynamic& rich :
         {wire::Dynamic(), wire::Dynamic(true), wire::Dynamic(UINT64_MAX),
          wire::Dynamic(wire::Dynamic::Map())}) {
        EXPECT_EQ(to_value(rich).error().code, Errc::bad_config);
    }
}

TEST(Arguments, WhatIsNoMapIsRefused) {
    EXPECT_EQ(decoded(wire::Dynamic::Array{1}).error().code, Errc::corrupt);
    EXPECT_EQ(decode_arguments({}).error().code, Errc::corrupt);
    EXPECT_EQ(decode_arguments(Buffer(arguments_size_max + 1)).error().code,
              Errc::limit_exceeded);
    Buffer out;
    EXPECT_EQ(encode_arguments({{"a", std::string(arguments_size_max, 'x')}}, out).error().code,
              Errc::limit_exceeded);
}

TEST(Arguments, ScalarsAreReadAsWritten) {
    const Fields fields{{"text", "a"}, {"integer", -7}, {"real", 2.0}, {"bytes", Blob(3)}};
    Buffer bytes(5);
    ASSERT_TRUE(encode_arguments(fields, bytes));
    EXPECT_EQ(decode_arguments(bytes).value_or_throw(), fields);
    ASSERT_TRUE(encode_arguments({}, bytes));
    EXPECT_EQ(bytes, Buffer{std::byte{0x80}});
}

}  // namespace
}  // namespace understudy::record
