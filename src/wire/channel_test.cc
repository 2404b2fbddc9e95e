#include "wire/channel.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"

namespace understudy::wire {
namespace {

constexpr MessageType some_type = MessageType::delta;

struct Received {
    MessageType type;
    std::string body;
    friend bool operator==(const Received&, const Received&) = default;
};

// Records what arrives, and answers a hello as the test wants.
class Notebook final : public Channel::Sink {
public:
    explicit Notebook(Channel& channel) : channel_(channel) {}

    void hello(Bytes opaque) override {
        hellos.emplace_back(as_text(opaque));
        if (refusal) {
            channel_.refuse(*refusal);
        } else if (answers) {
            ASSERT_TRUE(channel_.welcome(as_bytes("welcome!")));
        }
    }
    void welcome(Bytes opaque) override { welcomes.emplace_back(as_text(opaque)); }
    void refused(const Error& reason) override { refusals.push_back(reason); }
    void message(MessageType type, Bytes body) override {
        messages.push_back({type, std::string(as_text(body))});
        if (close_after != 0 && messages.size() == close_after) channel_.close();
    }

    bool answers = true;
    std::optional<Error> refusal;
    std::size_t close_after = 0;
    std::vector<std::string> hellos, welcomes;
    std::vector<Error> refusals;
    std::vector<Received> messages;

private:
    Channel& channel_;
};

// Both ends of one connection. Bytes move when the test says so.
struct Pair {
    explicit Pair(const Channel::Options& connecting = {}, const Channel::Options& accepting = {})
        : client(Side::connecting, connecting), server(Side::accepting, accepting) {}

    Result<void> to_server() { return server.receive(client.flush(), at_server); }
    Result<void> to_client() { return client.receive(server.flush(), at_client); }
    void shake_hands() {
        ASSERT_TRUE(client.hello(as_bytes("hello!")));
        ASSERT_TRUE(to_server());
        ASSERT_TRUE(to_client());
        ASSERT_TRUE(client.open());
        ASSERT_TRUE(server.open());
    }

    Channel client, server;
    Notebook at_client{client}, at_server{server};
};

Buffer copy(Bytes bytes) { return Buffer(bytes.begin(), bytes.end()); }

Buffer frame_of(FrameKind kind, Bytes payload) {
    Buffer bytes(header_size);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    seal(kind, bytes);
    return bytes;
}

// A batch that holds what `payload` says, sent to the client of an open pair.
Errc refusal_of_batch(const std::vector<unsigned>& payload) {
    Pair pair;
    pair.shake_hands();
    Buffer bytes;
    for (const unsigned each : payload) bytes.push_back(static_cast<std::byte>(each));
    const auto result = pair.client.receive(frame_of(FrameKind::batch, bytes), pair.at_client);
    EXPECT_EQ(pair.client.closed(), !result);
    return result ? Errc{} : result.error().code;
}

// --- Handshake -------------------------------------------------------------------------------

TEST(Channel, HandshakeCarriesTheOwnersBytesBothWays) {
    Pair pair;
    pair.shake_hands();
    EXPECT_EQ(pair.at_server.hellos, std::vector<std::string>{"hello!"});
    EXPECT_EQ(pair.at_client.welcomes, std::vector<std::string>{"welcome!"});
    EXPECT_EQ(pair.client.version(), 1);
    EXPECT_EQ(pair.client.compression(), Compression::none);
}

TEST(Channel, VersionsThatDoNotMeetAreRefusedAndBothSidesKnowWhy) {
    Pair pair({.versions = {3, 4}}, {.versions = {1, 2}});
    ASSERT_TRUE(pair.client.hello({}));
    const auto received = pair.to_server();
    ASSERT_FALSE(received);
    EXPECT_EQ(received.error().code, Errc::refused);
    EXPECT_EQ(received.error().detail, "protocol version 1 to 2 is spoken here, 3 to 4 there");
    EXPECT_TRUE(pair.at_server.hellos.empty());
    EXPECT_TRUE(pair.server.closed());

    ASSERT_TRUE(pair.to_client());
    ASSERT_EQ(pair.at_client.refusals.size(), 1U);
    EXPECT_EQ(pair.at_client.refusals[0].code, Errc::refused);
    EXPECT_EQ(pair.at_client.refusals[0].detail, received.error().detail);
    EXPECT_TRUE(pair.client.closed());
}

TEST(Channel, TheHighestCommonVersionIsSpoken) {
    Pair pair({.versions = {1, 4}}, {.versions = {2, 3}});
    pair.shake_hands();
    EXPECT_EQ(pair.client.version(), 3);
    EXPECT_EQ(pair.server.version(), 3);
}

TEST(Channel, RefusalReachesThePeerWithCodeEffectAndDetail) {
    Pair pair;
    pair.at_server.refusal = Error{.code = Errc::not_active,
                                   .effect = Effect::unknown,
                                   .detail = std::string(5000, 'x')};
    ASSERT_TRUE(pair.client.hello({}));
    ASSERT_TRUE(pair.to_server());
    EXPECT_TRUE(pair.server.closed());
    ASSERT_TRUE(pair.to_client());
    ASSERT_EQ(pair.at_client.refusals.size(), 1U);
    EXPECT_EQ(pair.at_client.refusals[0].code, Errc::not_active);
    EXPECT_EQ(pair.at_client.refusals[0].effect, Effect::unknown);
    EXPECT_EQ(pair.at_client.refusals[0].detail,
              std::string(Channel::refusal_detail_max, 'x'));
}

TEST(Channel, TheConnectingSidesOrderChoosesTheCompression) {
    Pair pair({.compressions = {Compression::zstd, Compression::gzip}},
              {.compressions = {Compression::gzip, Compression::zstd}});
    pair.shake_hands();
    EXPECT_EQ(pair.client.compression(), Compression::zstd);
    EXPECT_EQ(pair.server.compression(), Compression::zstd);
}

TEST(Channel, WithoutACommonCompressionNoneIsUsed) {
    Pair pair({.compressions = {Compression::zstd}}, {.compressions = {Compression::gzip}});
    pair.shake_hands();
    EXPECT_EQ(pair.client.compression(), Compression::none);
    EXPECT_EQ(pair.server.compression(), Compression::none);
}

// A compression of a later release is skipped in a hello. The one in a welcome must have been
// offered.
TEST(Channel, UnknownCompressionsAreSkippedInAHelloAndRefusedInAWelcome) {
    Channel server(Side::accepting, {.compressions = {Compression::gzip}});
    Notebook at_server(server);
    const std::byte hello[] = {std::byte{1}, std::byte{1}, std::byte{2}, std::byte{77},
                               std::byte{1}};
    ASSERT_TRUE(server.receive(frame_of(FrameKind::hello, hello), at_server));
    EXPECT_EQ(server.compression(), Compression::gzip);

    for (const unsigned compression : {1U, 77U}) {
        Channel client(Side::connecting, {.compressions = {Compression::zstd}});
        Notebook at_client(client);
        ASSERT_TRUE(client.hello({}));
        const std::byte welcome[] = {std::byte{0}, std::byte{1},
                                     static_cast<std::byte>(compression)};
        EXPECT_EQ(client.receive(frame_of(FrameKind::welcome, welcome), at_client).error().code,
                  Errc::corrupt);
    }
}

TEST(Channel, MalformedHandshakesAreRefused) {
    const std::vector<std::vector<unsigned>> hellos = {
        {}, {1}, {1, 1}, {1, 1, 2, 1}, {0, 1, 0}, {2, 1, 0}, {1, 1, 255}};
    for (const auto& hello : hellos) {
        Channel server(Side::accepting, {});
        Notebook at_server(server);
        Buffer bytes;
        for (const unsigned each : hello) bytes.push_back(static_cast<std::byte>(each));
        const auto result = server.receive(frame_of(FrameKind::hello, bytes), at_server);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Errc::corrupt);
        EXPECT_TRUE(server.closed());
    }
    const std::vector<std::vector<unsigned>> welcomes = {
        {}, {0}, {0, 1}, {0, 2, 0}, {0, 0, 0}, {2, 1, 0}, {1}, {1, 2}, {1, 2, 0}, {1, 2, 0, 9}};
    for (const auto& welcome : welcomes) {
        Channel client(Side::connecting, {});
        Notebook at_client(client);
        ASSERT_TRUE(client.hello({}));
        Buffer bytes;
        for (const unsigned each : welcome) bytes.push_back(static_cast<std::byte>(each));
        const auto result = client.receive(frame_of(FrameKind::welcome, bytes), at_client);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Errc::corrupt);
        EXPECT_TRUE(at_client.welcomes.empty());
    }
}

TEST(Channel, FramesAtTheWrongTimeAreRefused) {
    const Bytes none;
    const std::byte hello[] = {std::byte{1}, std::byte{1}, std::byte{0}};
    {   // A batch before the handshake.
        Channel server(Side::accepting, {});
        Notebook sink(server);
        EXPECT_EQ(server.receive(frame_of(FrameKind::batch, none), sink).error().code,
                  Errc::corrupt);
    }
    {   // A batch before the owner has answered.
        Channel server(Side::accepting, {});
        Notebook sink(server);
        sink.answers = false;
        ASSERT_TRUE(server.receive(frame_of(FrameKind::hello, hello), sink));
        EXPECT_EQ(server.receive(frame_of(FrameKind::batch, none), sink).error().code,
                  Errc::corrupt);
    }
    for (const FrameKind kind : {FrameKind::hello, FrameKind::welcome}) {  // A second handshake.
        Pair pair;
        pair.shake_hands();
        EXPECT_EQ(pair.client.receive(frame_of(kind, hello), pair.at_client).error().code,
                  Errc::corrupt);
        EXPECT_EQ(pair.server.receive(frame_of(kind, hello), pair.at_server).error().code,
                  Errc::corrupt);
    }
    {   // A compressed batch without an agreed compression.
        Pair pair;
        pair.shake_hands();
        EXPECT_EQ(pair.client.receive(frame_of(FrameKind::batch_gzip, hello), pair.at_client)
                      .error().code,
                  Errc::corrupt);
    }
}

// Before the handshake is done, the bound is 8 KiB. The header alone is enough to refuse a longer
// frame.
TEST(Channel, OversizeBeforeTheHandshakeIsRefusedBeforeItArrives) {
    Channel server(Side::accepting, {});
    Notebook sink(server);
    Buffer frame = frame_of(FrameKind::hello, Buffer(handshake_size_max + 1));
    frame.resize(header_size);
    EXPECT_EQ(server.receive(frame, sink).error().code, Errc::limit_exceeded);

    Channel client(Side::connecting, {});
    EXPECT_EQ(client.hello(Buffer(Channel::opaque_size_max + 1)).error().code,
              Errc::limit_exceeded);
    EXPECT_TRUE(client.hello(Buffer(Channel::opaque_size_max)));
}

TEST(Channel, OversizeAfterTheHandshakeIsRefusedBeforeItArrives) {
    Pair pair;
    pair.shake_hands();
    Buffer frame = frame_of(FrameKind::batch, {});
    const auto length = static_cast<std::uint32_t>(payload_size_max + 1);
    std::memcpy(frame.data() + 4, &length, sizeof length);
    EXPECT_EQ(pair.client.receive(frame, pair.at_client).error().code, Errc::limit_exceeded);
    EXPECT_TRUE(pair.client.closed());
}

TEST(Channel, MessagesPutBeforeTheHandshakeWaitForIt) {
    Pair pair;
    ASSERT_TRUE(pair.client.put(some_type, as_bytes("early")));
    ASSERT_TRUE(pair.client.hello({}));
    ASSERT_TRUE(pair.client.put(some_type, as_bytes(std::string(1000, 'e'))));
    ASSERT_TRUE(pair.to_server());
    EXPECT_TRUE(pair.at_server.messages.empty());
    EXPECT_GT(pair.client.pending_bytes(), 1000U);
    ASSERT_TRUE(pair.to_client());
    ASSERT_TRUE(pair.client.put(some_type, as_bytes("late")));
    ASSERT_TRUE(pair.to_server());
    EXPECT_EQ(pair.at_server.messages,
              (std::vector<Received>{{some_type, "early"},
                                     {some_type, std::string(1000, 'e')},
                                     {some_type, "late"}}));
}

// --- Batches ---------------------------------------------------------------------------------

TEST(Channel, MalformedBatchesAreRefused) {
    EXPECT_EQ(refusal_of_batch({0}), Errc::corrupt);               // No type.
    EXPECT_EQ(refusal_of_batch({0, 0}), Errc::corrupt);            // Type 0.
    EXPECT_EQ(refusal_of_batch({2, 36, 1}), Errc::corrupt);        // Body cut.
    EXPECT_EQ(refusal_of_batch({0x80, 0x80}), Errc::corrupt);      // Size cut.
    EXPECT_EQ(refusal_of_batch({0, 36, 5}), Errc::corrupt);        // The second is cut.
    EXPECT_EQ(refusal_of_batch({0xff, 0xff, 0xff, 0x7f, 36}), Errc::limit_exceeded);
    EXPECT_EQ(refusal_of_batch({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1}),
              Errc::corrupt);                                      // A size beyond 64 bits.
    EXPECT_EQ(refusal_of_batch({0, 255, 1, 36, 7}), Errc{});       // Types of a later release pass.
}

TEST(Channel, MessagesBeyondTheBoundAreRefusedAndNothingElseIsLost) {
    Pair pair;
    pair.shake_hands();
    ASSERT_TRUE(pair.client.put(some_type, as_bytes("before")));
    const Buffer big(Channel::message_size_max + 1);
    const auto refused = pair.client.put(some_type, big);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::limit_exceeded);
    EXPECT_EQ(refused.error().effect, Effect::none);
    ASSERT_TRUE(pair.client.put(some_type, Bytes(big).first(Channel::message_size_max)));
    ASSERT_TRUE(pair.to_server());
    ASSERT_EQ(pair.at_server.messages.size(), 2U);
    EXPECT_EQ(pair.at_server.messages[0].body, "before");
    EXPECT_EQ(pair.at_server.messages[1].body.size(), Channel::message_size_max);
}

TEST(Channel, WhatWaitsToBeFlushedIsBounded) {
    Pair pair;
    pair.shake_hands();
    const Buffer message(1 * MiB);
    std::size_t taken = 0;
    while (pair.client.put(some_type, message)) ++taken;
    EXPECT_EQ(taken, Channel::pending_size_max / (1 * MiB) - 1);
    EXPECT_LE(pair.client.pending_bytes(), Channel::pending_size_max);
    ASSERT_TRUE(pair.to_server());
    EXPECT_EQ(pair.at_server.messages.size(), taken);
    EXPECT_TRUE(pair.client.put(some_type, message));
}

TEST(Channel, PartsOfAMessageArriveAsOneBody) {
    Pair pair;
    pair.shake_hands();
    ASSERT_TRUE(pair.client.put(some_type, {as_bytes("one "), Bytes(), as_bytes("body")}));
    ASSERT_TRUE(pair.client.put(MessageType{1}, Bytes()));
    ASSERT_TRUE(pair.to_server());
    EXPECT_EQ(pair.at_server.messages,
              (std::vector<Received>{{some_type, "one body"}, {MessageType{1}, ""}}));
}

TEST(Channel, AFlushHasEachMessageOnce) {
    Pair pair;
    pair.shake_hands();
    EXPECT_TRUE(pair.client.flush().empty());
    ASSERT_TRUE(pair.client.put(some_type, as_bytes("a")));
    EXPECT_EQ(pair.client.flush().size(), header_size + 3);
    EXPECT_TRUE(pair.client.flush().empty());
    EXPECT_EQ(pair.client.pending_bytes(), 0U);
    ASSERT_TRUE(pair.client.put(some_type, as_bytes("b")));
    ASSERT_TRUE(pair.to_server());
    EXPECT_EQ(pair.at_server.messages, (std::vector<Received>{{some_type, "b"}}));
}

TEST(Channel, ManyMessagesAreSplitIntoFramesOfBoundedSize) {
    Pair pair;
    pair.shake_hands();
    const std::string body(1000, 'x');
    for (int i = 0; i < 2000; ++i) ASSERT_TRUE(pair.client.put(some_type, as_bytes(body)));
    const Buffer sent = copy(pair.client.flush());

    std::size_t frames = 0;
    for (Bytes rest = sent; !rest.empty(); ++frames) {
        const auto frame = decode(rest, payload_size_max);
        ASSERT_TRUE(frame && *frame);
        EXPECT_LE((*frame)->payload.size(), Channel::batch_size_max);
        rest = rest.subspan((*frame)->size_bytes);
    }
    EXPECT_EQ(frames, 8U);
    ASSERT_TRUE(pair.server.receive(sent, pair.at_server));
    EXPECT_EQ(pair.at_server.messages.size(), 2000U);
}

TEST(Channel, ASinkThatClosesHearsNoMore) {
    Pair pair;
    pair.shake_hands();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(pair.client.put(some_type, as_bytes("x")));
    pair.at_server.close_after = 2;
    ASSERT_TRUE(pair.to_server());
    EXPECT_EQ(pair.at_server.messages.size(), 2U);
    ASSERT_TRUE(pair.server.receive(as_bytes("anything"), pair.at_server));
    EXPECT_TRUE(pair.server.put(some_type, as_bytes("dropped")));
    EXPECT_TRUE(pair.server.flush().empty());
}

TEST(Channel, WhatWasPutBeforeACloseIsStillFlushed) {
    Pair pair;
    pair.shake_hands();
    ASSERT_TRUE(pair.client.put(some_type, as_bytes("last words")));
    pair.client.close();
    ASSERT_TRUE(pair.client.put(some_type, as_bytes("too late")));
    ASSERT_TRUE(pair.to_server());
    EXPECT_EQ(pair.at_server.messages, (std::vector<Received>{{some_type, "last words"}}));
}

class CompressedChannel : public testing::TestWithParam<Compression> {
protected:
    static Channel::Options options() { return {.compressions = {GetParam()}}; }
};

TEST_P(CompressedChannel, BigBatchesShrinkAndSmallOnesTravelPlain) {
    Pair pair(options(), options());
    pair.shake_hands();
    const std::string big(100'000, 'x');
    ASSERT_TRUE(pair.client.put(some_type, as_bytes(big)));
    Buffer sent = copy(pair.client.flush());
    EXPECT_LT(sent.size(), 1000U);
    EXPECT_NE(decode(sent, payload_size_max).value_or_throw()->kind, FrameKind::batch);
    ASSERT_TRUE(pair.server.receive(sent, pair.at_server));

    ASSERT_TRUE(pair.client.put(some_type, as_bytes(std::string(509, 'y'))));
    sent = copy(pair.client.flush());
    EXPECT_EQ(decode(sent, payload_size_max).value_or_throw()->kind, FrameKind::batch);
    ASSERT_TRUE(pair.server.receive(sent, pair.at_server));
    EXPECT_EQ(pair.at_server.messages,
              (std::vector<Received>{{some_type, big}, {some_type, std::string(509, 'y')}}));
}

TEST_P(CompressedChannel, ADecompressionBombIsRefused) {
    Pair pair(options(), options());
    pair.shake_hands();
    Compressor compressor;
    Buffer payload = copy(*compressor.compress(GetParam(), Buffer(16 * KiB)));
    const auto claimed = static_cast<std::uint32_t>(payload_size_max + 1);
    std::memcpy(payload.data(), &claimed, sizeof claimed);
    const FrameKind kind =
        GetParam() == Compression::gzip ? FrameKind::batch_gzip : FrameKind::batch_zstd;
    EXPECT_EQ(pair.client.receive(frame_of(kind, payload), pair.at_client).error().code,
              Errc::limit_exceeded);
}

// One compressor for all channels of a loop, also while a received batch is being read.
TEST_P(CompressedChannel, ASharedCompressorServesAnswersInTheMidstOfABatch) {
    Compressor shared;
    Channel::Options sharing = options();
    sharing.compressor = &shared;
    Pair pair(sharing, sharing);
    pair.shake_hands();

    class Echo final : public Channel::Sink {
    public:
        explicit Echo(Channel& channel) : channel_(channel) {}
        void hello(Bytes) override {}
        void welcome(Bytes) override {}
        void refused(const Error&) override {}
        void message(MessageType type, Bytes body) override {
            ASSERT_TRUE(channel_.put(type, body));
        }

    private:
        Channel& channel_;
    } echo(pair.server);

    std::vector<Received> sent;
    for (int i = 0; i < 2000; ++i) {
        sent.push_back({some_type, "message " + std::to_string(i) + std::string(400, 'x')});
        ASSERT_TRUE(pair.client.put(some_type, as_bytes(sent.back().body)));
    }
    ASSERT_TRUE(pair.server.receive(pair.client.flush(), echo));
    ASSERT_TRUE(pair.to_client());
    EXPECT_EQ(pair.at_client.messages, sent);
}

INSTANTIATE_TEST_SUITE_P(Each, CompressedChannel,
                         testing::Values(Compression::gzip, Compression::zstd),
                         [](const auto& each) { return std::string(name(each.param)); });

// --- The stream cut in any way ---------------------------------------------------------------

// Everything that a peer sends on a connection: the handshake, then small and big batches.
Buffer stream_of(Compression compression, std::uint64_t seed) {
    Pair pair({.compressions = {compression}}, {.compressions = {compression}});
    Buffer stream;
    EXPECT_TRUE(pair.client.hello(as_bytes("hello!")));
    const auto pass = [&] {
        const Bytes bytes = pair.client.flush();
        stream.insert(stream.end(), bytes.begin(), bytes.end());
        EXPECT_TRUE(pair.server.receive(bytes, pair.at_server));
    };
    pass();
    EXPECT_TRUE(pair.to_client());
    Random random(seed);
    for (int batch = 0; batch < 10; ++batch) {
        for (std::uint64_t i = random.below(20); i > 0; --i) {
            const std::string body(random.below(batch == 5 ? 5000 : 50),
                                   static_cast<char>('a' + random.below(3)));
            EXPECT_TRUE(pair.client.put(static_cast<MessageType>(1 + random.below(255)),
                                        as_bytes(body)));
        }
        pass();
    }
    return stream;
}

std::vector<Received> received_in_pieces(const Buffer& stream, Compression compression,
                                         const std::function<std::size_t()>& piece) {
    Channel server(Side::accepting, {.compressions = {compression}});
    Notebook sink(server);
    for (Bytes rest = stream; !rest.empty();) {
        const std::size_t size = std::min(piece(), rest.size());
        EXPECT_TRUE(server.receive(rest.first(size), sink));
        rest = rest.subspan(size);
    }
    EXPECT_EQ(sink.hellos.size(), 1U);
    return sink.messages;
}

TEST(Channel, ByteByByteEqualsAllAtOnce) {
    for (const auto compression : {Compression::none, Compression::gzip, Compression::zstd}) {
        const Buffer stream = stream_of(compression, 7);
        const auto at_once =
            received_in_pieces(stream, compression, [&] { return stream.size(); });
        EXPECT_GT(at_once.size(), 50U);
        EXPECT_EQ(received_in_pieces(stream, compression, [] { return 1; }), at_once);
        Random random(9);
        for (int turn = 0; turn < 20; ++turn) {
            EXPECT_EQ(received_in_pieces(stream, compression,
                                         [&] { return 1 + random.below(300); }),
                      at_once);
        }
    }
}

// One bit is flipped anywhere in the stream. That gives an error, or nothing until more bytes come.
// It never gives a message that was not sent, or a message after the damage.
TEST(Channel, NoSingleBitFlipIsAccepted) {
    const Buffer stream = stream_of(Compression::none, 8);
    const auto sent = received_in_pieces(stream, Compression::none, [&] { return stream.size(); });
    for (std::size_t bit = 0; bit < stream.size() * 8; bit += 37) {
        Buffer damaged = stream;
        damaged[bit / 8] ^= std::byte{1} << (bit % 8);
        Channel server(Side::accepting, {});
        Notebook sink(server);
        const auto result = server.receive(damaged, sink);
        EXPECT_LT(sink.messages.size(), sent.size()) << "bit " << bit;
        EXPECT_TRUE(std::equal(sink.messages.begin(), sink.messages.end(), sent.begin()))
            << "bit " << bit;
        EXPECT_EQ(server.closed(), !result) << "bit " << bit;
    }
}

}  // namespace
}  // namespace understudy::wire
