#include "wire/frame.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace understudy::wire {
namespace {

Buffer text_frame(FrameKind kind, std::string_view payload) {
    Buffer bytes(header_size);
    bytes.insert(bytes.end(), as_bytes(payload).begin(), as_bytes(payload).end());
    seal(kind, bytes);
    return bytes;
}

Buffer some_frame() { return text_frame(FrameKind::batch, "the payload of a frame"); }

// Every prefix of a frame asks for more; no prefix is an error, and none is a frame.
TEST(Frame, EveryPrefixAsksForMore) {
    const Buffer bytes = some_frame();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto decoded = decode(Bytes(bytes).first(size), payload_size_max);
        ASSERT_TRUE(decoded) << "prefix of " << size;
        EXPECT_FALSE(decoded->has_value()) << "prefix of " << size;
    }
}

// A frame with one flipped bit, at any place, is not accepted.
TEST(Frame, NoSingleBitFlipIsAccepted) {
    const Buffer sent = some_frame();
    for (std::size_t bit = 0; bit < sent.size() * 8; ++bit) {
        Buffer bytes = sent;
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
        const auto decoded = decode(bytes, payload_size_max);
        EXPECT_FALSE(decoded && decoded->has_value()) << "bit " << bit;
    }
}

TEST(Frame, OversizeIsRefusedByItsHeaderAlone) {
    Buffer bytes = text_frame(FrameKind::hello, std::string(101, 'x'));
    bytes.resize(header_size);
    EXPECT_EQ(decode(bytes, 100).error().code, Errc::limit_exceeded);
    EXPECT_TRUE(decode(bytes, 101));
}

TEST(Frame, OtherProtocolsVersionsAndKindsAreRefused) {
    EXPECT_EQ(decode(as_bytes("GET / HTTP/1.1\r\n"), payload_size_max).error().code, Errc::corrupt);
    // A port with TLS sends a plain client an alert of seven bytes. The second case is the hello of
    // a TLS client.
    EXPECT_EQ(decode(as_bytes("\x15\x03\x03"), payload_size_max).error().code, Errc::denied);
    EXPECT_EQ(decode(as_bytes("\x16\x03\x01\x02 more"), payload_size_max).error().code,
              Errc::denied);
    for (const std::size_t at : {std::size_t{2}, std::size_t{3}}) {
        for (const unsigned wrong : {0U, 6U, 255U}) {
            Buffer bytes = some_frame();
            bytes[at] = static_cast<std::byte>(wrong);
            EXPECT_EQ(decode(bytes, payload_size_max).error().code, Errc::corrupt) << at << wrong;
        }
    }
}

TEST(Frame, DecodesWhatWasSealedAndSaysWhatToConsume) {
    Buffer bytes = text_frame(FrameKind::welcome, "one");
    const Buffer next = text_frame(FrameKind::batch, "");
    bytes.insert(bytes.end(), next.begin(), next.end());

    const auto first = decode(bytes, payload_size_max);
    ASSERT_TRUE(first && *first);
    EXPECT_EQ((*first)->kind, FrameKind::welcome);
    EXPECT_EQ(as_text((*first)->payload), "one");
    ASSERT_EQ((*first)->size_bytes, header_size + 3);

    const auto second = decode(Bytes(bytes).subspan((*first)->size_bytes), payload_size_max);
    ASSERT_TRUE(second && *second);
    EXPECT_EQ((*second)->kind, FrameKind::batch);
    EXPECT_TRUE((*second)->payload.empty());
}

TEST(Frame, MissingSaysHowManyBytesToWaitFor) {
    const Buffer bytes = some_frame();
    EXPECT_EQ(missing(Bytes()), header_size);
    EXPECT_EQ(missing(Bytes(bytes).first(5)), header_size - 5);
    EXPECT_EQ(missing(Bytes(bytes).first(header_size)), bytes.size() - header_size);
    EXPECT_EQ(missing(Bytes(bytes).first(bytes.size() - 1)), 1U);
}

}  // namespace
}  // namespace understudy::wire
