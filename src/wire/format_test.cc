// The worked examples of docs/formats/wire.md, encoded and decoded: our bytes are those of the
// document, and they can be read.
#include <gtest/gtest.h>

#include "wire/channel.h"
#include "wire/worked_example_test.h"

namespace understudy::wire {
namespace {

class Heard final : public Channel::Sink {
public:
    void hello(Bytes opaque) override { text += "hello " + std::string(as_text(opaque)); }
    void welcome(Bytes opaque) override { text += "welcome " + std::string(as_text(opaque)); }
    void refused(const Error& reason) override { text += to_string(reason); }
    void message(MessageType type, Bytes body) override {
        text += std::to_string(static_cast<int>(type)) + ":" + std::to_string(body.size()) + " ";
    }
    std::string text;
};

Buffer example(const std::string& name) { return worked_example("wire.md", name); }
Buffer copied(Bytes bytes) { return Buffer(bytes.begin(), bytes.end()); }

const Channel::Options both{.compressions = {Compression::zstd, Compression::gzip}};

TEST(WireFormat, TheHandshakeIsAsDocumented) {
    Channel client(Side::connecting, both), server(Side::accepting, both);
    Heard at_client, at_server;
    ASSERT_TRUE(client.hello(as_bytes("hi")));
    EXPECT_EQ(copied(client.flush()), example("hello"));
    ASSERT_TRUE(server.receive(example("hello"), at_server));
    EXPECT_EQ(at_server.text, "hello hi");

    ASSERT_TRUE(server.welcome(as_bytes("yo")));
    EXPECT_EQ(copied(server.flush()), example("welcome"));
    ASSERT_TRUE(client.receive(example("welcome"), at_client));
    EXPECT_EQ(at_client.text, "welcome yo");
    EXPECT_EQ(client.compression(), Compression::zstd);

    const Buffer subscribe =
        copied(as_bytes("\x08\x03"
                        "Bar\x01t"));
    const Buffer unsubscribe = copied(as_bytes("\xac\x02"));
    ASSERT_TRUE(client.put(MessageType::subscribe, subscribe));
    ASSERT_TRUE(client.put(MessageType::unsubscribe, unsubscribe));
    EXPECT_EQ(copied(client.flush()), example("batch"));
    at_server.text.clear();
    ASSERT_TRUE(server.receive(example("batch"), at_server));
    EXPECT_EQ(at_server.text, "32:7 33:2 ");
}

TEST(WireFormat, TheRefusalIsAsDocumented) {
    Channel client(Side::connecting, both), server(Side::accepting, {});
    Heard at_client, at_server;
    ASSERT_TRUE(client.hello({}));
    ASSERT_TRUE(server.receive(client.flush(), at_server));
    server.refuse({.code = Errc::not_active, .detail = "standby"});
    EXPECT_EQ(copied(server.flush()), example("refusal"));
    ASSERT_TRUE(client.receive(example("refusal"), at_client));
    EXPECT_EQ(at_client.text, "not_active: standby (effect: none)");
}

}  // namespace
}  // namespace understudy::wire
