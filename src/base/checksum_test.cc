#include "base/checksum.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy {
namespace {

Buffer filled(std::size_t size, auto value_at) {
    Buffer bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(value_at(i));
    return bytes;
}

// RFC 3720, appendix B.4.
TEST(Crc32c, KnownVectors) {
    EXPECT_EQ(crc32c({}), 0u);
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
    EXPECT_EQ(crc32c(filled(32, [](std::size_t) { return 0; })), 0x8a9136aau);
    EXPECT_EQ(crc32c(filled(32, [](std::size_t) { return 0xff; })), 0x62a8ab43u);
    EXPECT_EQ(crc32c(filled(32, [](std::size_t i) { return i; })), 0x46dd794eu);
    EXPECT_EQ(crc32c(filled(32, [](std::size_t i) { return 31 - i; })), 0x113fdb5cu);
}

TEST(Crc32c, TableAndInstructionAgreeAtEveryLengthAndAlignment) {
    Random random(1);
    const Buffer bytes = filled(300, [&](std::size_t) { return random.next() & 0xff; });
    for (std::size_t offset = 0; offset < 8; ++offset) {
        for (std::size_t size = 0; size + offset <= bytes.size(); ++size) {
            const Bytes part = Bytes(bytes).subspan(offset, size);
            const auto seed = static_cast<std::uint32_t>(random.next());
            ASSERT_EQ(crc32c(part, seed), crc32c_portable(part, seed)) << offset << "+" << size;
        }
    }
}

TEST(Crc32c, ContinuesFromAnEarlierCall) {
    const Bytes whole = as_bytes("the understudy knows the part");
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        EXPECT_EQ(crc32c(whole.subspan(cut), crc32c(whole.first(cut))), crc32c(whole));
    }
}

TEST(Crc32c, SeesEachFlippedBit) {
    Buffer bytes = filled(64, [](std::size_t i) { return i * 7; });
    const std::uint32_t right = crc32c(bytes);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        const auto mask = static_cast<std::byte>(1u << (bit % 8));
        bytes[bit / 8] ^= mask;
        EXPECT_NE(crc32c(bytes), right);
        bytes[bit / 8] ^= mask;
    }
}

// Members of different builds compare hashes of their states, so the hash must never change.
TEST(Hash64, IsXxh3) {
    EXPECT_EQ(hash64({}), 0x2d06800538d394c2u);
    EXPECT_NE(hash64(as_bytes("a")), hash64(as_bytes("b")));
    EXPECT_NE(hash64(as_bytes("a"), 1), hash64(as_bytes("a"), 2));
    EXPECT_EQ(hash64(as_bytes("a"), 1), hash64(as_bytes("a"), 1));
}

}  // namespace
}  // namespace understudy
