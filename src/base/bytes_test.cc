#include "base/bytes.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

Buffer of(std::initializer_list<int> values) {
    Buffer bytes;
    for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

TEST(ByteReader, AFailureSticks) {
    const Buffer input = of({1, 2, 3});
    ByteReader reader(input);
    EXPECT_FALSE(reader.fixed<std::uint32_t>());
    EXPECT_TRUE(reader.failed());
    EXPECT_FALSE(reader.fixed<std::uint8_t>());
    EXPECT_FALSE(reader.raw(0));
    EXPECT_FALSE(reader.varint());
    EXPECT_FALSE(reader.done());
}

TEST(ByteReader, RefusesALengthBeyondTheInput) {
    const Buffer input = of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 7});
    ByteReader reader(input);
    EXPECT_FALSE(reader.bytes());
    EXPECT_TRUE(reader.failed());
}

TEST(ByteReader, RefusesVarintsThatEndEarlyOrDoNotFit) {
    const Buffer torn = of({0x80, 0x80});
    EXPECT_FALSE(ByteReader(torn).varint());
    const Buffer wide = of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02});
    EXPECT_FALSE(ByteReader(wide).varint());
    const Buffer endless = of({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01});
    EXPECT_FALSE(ByteReader(endless).varint());
}

TEST(ByteWriter, IsReadBack) {
    Buffer out;
    ByteWriter writer(out);
    writer.fixed<std::uint16_t>(0x1234);
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128},
                                      std::uint64_t{300}, UINT64_MAX}) {
        writer.varint(value);
    }
    writer.text("part");
    writer.bytes({});
    writer.fixed<std::uint64_t>(UINT64_MAX);
    EXPECT_EQ(out[0], std::byte{0x34});  // Little-endian.

    ByteReader reader(out);
    EXPECT_EQ(reader.fixed<std::uint16_t>(), 0x1234);
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128},
                                      std::uint64_t{300}, UINT64_MAX}) {
        EXPECT_EQ(reader.varint(), value);
    }
    EXPECT_EQ(reader.text(), "part");
    EXPECT_EQ(reader.bytes()->size(), 0u);
    EXPECT_EQ(reader.fixed<std::uint64_t>(), UINT64_MAX);
    EXPECT_TRUE(reader.done());
}

}  // namespace
}  // namespace understudy
