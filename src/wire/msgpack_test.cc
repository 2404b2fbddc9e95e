#include "wire/msgpack.h"

#include <limits>

#include <gtest/gtest.h>

#include "wire/dynamic_sample_test.h"

namespace understudy::wire {
namespace {

Buffer bytes_of(std::initializer_list<unsigned> list) {
    Buffer bytes;
    for (const unsigned each : list) bytes.push_back(static_cast<std::byte>(each));
    return bytes;
}

Buffer encoded(const Dynamic& value) {
    Buffer out;
    EXPECT_TRUE(encode_msgpack(value, out));
    return out;
}

Dynamic nested(std::size_t depth) {
    Dynamic value = 1;
    for (std::size_t i = 0; i < depth; ++i) value = Dynamic::Array{value};
    return value;
}

TEST(Msgpack, MalformedInputIsRefusedWithItsPosition) {
    struct Case {
        Buffer input;
        std::string_view detail;
    };
    for (const auto& [input, detail] : std::vector<Case>{
             {{}, "byte 0: input ends early"},
             {bytes_of({0xc1}), "byte 1: type byte 0xc1"},
             {bytes_of({0xc7, 1, 1, 1}), "byte 1: type byte 0xc7"},   // Extension types.
             {bytes_of({0xd6, 0xff, 0, 0, 0, 0}), "byte 1: type byte 0xd6"},
             {bytes_of({1, 2}), "byte 1: bytes behind the value"},
             {bytes_of({0xa2, 'a'}), "text longer than the input"},
             {bytes_of({0xa1, 0xff}), "text is not UTF-8"},
             {bytes_of({0xc4, 2, 0}), "bytes longer than the input"},
             {bytes_of({0xcf, 0, 0, 0}), "input ends early"},
             {bytes_of({0x92, 1}), "more items than input"},
             {bytes_of({0xdd, 0xff, 0xff, 0xff, 0xff}), "more items than input"},
             {bytes_of({0xdf, 0xff, 0xff, 0xff, 0xff, 0}), "more items than input"},
             {bytes_of({0x81, 1, 1}), "map key that is not text"},
             {bytes_of({0x82, 0xa1, 'a', 1, 0xa1, 'a', 2}), "byte 7: map key twice"},
         }) {
        const auto decoded = decode_msgpack(input);
        ASSERT_FALSE(decoded) << detail;
        EXPECT_EQ(decoded.error().code, Errc::corrupt);
        EXPECT_NE(decoded.error().detail.find(detail), std::string::npos) << decoded.error().detail;
    }
}

TEST(Msgpack, DepthAndNumberOfValuesAreBounded) {
    EXPECT_EQ(decode_msgpack(encoded(nested(32))).value_or_throw(), nested(32));
    Buffer out;
    EXPECT_EQ(encode_msgpack(nested(33), out).error().code, Errc::limit_exceeded);
    Buffer deep(33, std::byte{0x91});
    deep.push_back(std::byte{0xc0});
    EXPECT_EQ(decode_msgpack(deep).error().code, Errc::limit_exceeded);
    EXPECT_EQ(decode_msgpack(Buffer(1 * MiB, std::byte{0x91})).error().code, Errc::limit_exceeded);

    Buffer many = bytes_of({0xdd, 0, 1, 0x86, 0x9f});  // 99,999 nils.
    many.resize(many.size() + 99'999, std::byte{0xc0});
    EXPECT_TRUE(decode_msgpack(many));
    many = bytes_of({0xdd, 0, 1, 0x86, 0xa0});
    many.resize(many.size() + 100'000, std::byte{0xc0});
    EXPECT_EQ(decode_msgpack(many).error().code, Errc::limit_exceeded);
    EXPECT_EQ(encode_msgpack(Dynamic::Array(100'000), out).error().code, Errc::limit_exceeded);
}

TEST(Msgpack, TextThatIsNotUtf8IsNotSent) {
    Buffer out;
    EXPECT_EQ(encode_msgpack(std::string("\xff"), out).error().code, Errc::bad_config);
    EXPECT_EQ(encode_msgpack(Dynamic::Map{{"\xff", 1}}, out).error().code, Errc::bad_config);
}

// The formats of the specification's table, at the limits of each.
TEST(Msgpack, NumbersTakeTheirShortestForm) {
    EXPECT_EQ(encoded(0), bytes_of({0}));
    EXPECT_EQ(encoded(127), bytes_of({0x7f}));
    EXPECT_EQ(encoded(128), bytes_of({0xcc, 0x80}));
    EXPECT_EQ(encoded(256), bytes_of({0xcd, 1, 0}));
    EXPECT_EQ(encoded(65536), bytes_of({0xce, 0, 1, 0, 0}));
    EXPECT_EQ(encoded(std::int64_t{1} << 32), bytes_of({0xcf, 0, 0, 0, 1, 0, 0, 0, 0}));
    EXPECT_EQ(encoded(UINT64_MAX), bytes_of({0xcf, 255, 255, 255, 255, 255, 255, 255, 255}));
    EXPECT_EQ(encoded(-1), bytes_of({0xff}));
    EXPECT_EQ(encoded(-32), bytes_of({0xe0}));
    EXPECT_EQ(encoded(-33), bytes_of({0xd0, 0xdf}));
    EXPECT_EQ(encoded(-128), bytes_of({0xd0, 0x80}));
    EXPECT_EQ(encoded(-129), bytes_of({0xd1, 0xff, 0x7f}));
    EXPECT_EQ(encoded(-32769), bytes_of({0xd2, 0xff, 0xff, 0x7f, 0xff}));
    EXPECT_EQ(encoded(INT64_MIN), bytes_of({0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(encoded(1.5), bytes_of({0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(encoded(true), bytes_of({0xc3}));
    EXPECT_EQ(encoded(Dynamic()), bytes_of({0xc0}));
}

TEST(Msgpack, LongFormsOfSmallNumbersAreReadToo) {
    EXPECT_EQ(decode_msgpack(bytes_of({0xd3, 0, 0, 0, 0, 0, 0, 0, 5})).value_or_throw(), 5);
    EXPECT_EQ(decode_msgpack(bytes_of({0xcf, 0, 0, 0, 0, 0, 0, 0, 5})).value_or_throw(), 5);
    EXPECT_EQ(decode_msgpack(bytes_of({0xca, 0x3f, 0xc0, 0, 0})).value_or_throw(), 1.5);
    EXPECT_EQ(decode_msgpack(bytes_of({0xd9, 1, 'a'})).value_or_throw(), "a");
    EXPECT_EQ(decode_msgpack(bytes_of({0xdf, 0, 0, 0, 0})).value_or_throw(), Dynamic::Map());
}

TEST(Msgpack, SizesAtEachBorderAreReadAsWritten) {
    for (const std::size_t size : {0U, 15U, 16U, 31U, 32U, 255U, 256U, 65535U, 65536U}) {
        const std::string text(size, 'x');
        EXPECT_EQ(decode_msgpack(encoded(text)).value_or_throw(), text) << size;
        EXPECT_EQ(decode_msgpack(encoded(Buffer(size))).value_or_throw(), Buffer(size)) << size;
        const Dynamic::Array array(size, Dynamic(1));
        EXPECT_EQ(decode_msgpack(encoded(array)).value_or_throw(), array) << size;
        Dynamic::Map map;
        for (std::size_t i = 0; i < std::min<std::size_t>(size, 40'000); ++i) {
            map[std::to_string(i)] = i;
        }
        EXPECT_EQ(decode_msgpack(encoded(map)).value_or_throw(), map) << size;
    }
}

TEST(Msgpack, RandomTreesAreReadAsWrittenAndNoPrefixIs) {
    Random random(11);
    for (int turn = 0; turn < 500; ++turn) {
        const Dynamic value = sample(random);
        const Buffer bytes = encoded(value);
        const auto decoded = decode_msgpack(bytes);
        ASSERT_TRUE(decoded) << "turn " << turn << ": " << to_string(decoded.error());
        EXPECT_EQ(*decoded, value) << "turn " << turn;
        if (!bytes.empty()) {
            EXPECT_FALSE(decode_msgpack(Bytes(bytes).first(random.below(bytes.size()))));
        }
    }
}

TEST(Dynamic, EqualNumbersAreEqualWhateverTheirType) {
    EXPECT_EQ(Dynamic(std::uint64_t{5}), Dynamic(5));
    EXPECT_EQ(Dynamic(std::uint64_t{5}).kind(), Dynamic::Kind::integer);
    EXPECT_EQ(Dynamic(UINT64_MAX).kind(), Dynamic::Kind::big_integer);
    EXPECT_FALSE(Dynamic(1) == Dynamic(true));
    EXPECT_EQ(name(Dynamic(UINT64_MAX).kind()), "integer");
}

}  // namespace
}  // namespace understudy::wire
