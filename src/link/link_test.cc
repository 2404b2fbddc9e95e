#include "link/link.h"

#include <deque>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "wire/channel.h"

namespace understudy::link {
namespace {

/// A stream whose kernel takes as much as the test says.
struct Wire {
    Buffer sent;
    std::size_t backlog = 0;
    bool kernel_takes = true;
    Connection::Observer* observer = nullptr;
};

class FakeConnection final : public Connection {
public:
    explicit FakeConnection(Wire& wire) : wire_(wire) {}
    void start(Observer& observer) override { wire_.observer = &observer; }
    void send(Bytes data) override {
        wire_.sent.insert(wire_.sent.end(), data.begin(), data.end());
        if (!wire_.kernel_takes) wire_.backlog += data.size();
    }
    void finish(Duration) override {}
    std::size_t backlog_bytes() const override { return wire_.backlog; }
    const Address& peer() const override { return peer_; }
    std::optional<std::string> peer_identity() const override { return std::nullopt; }

private:
    Wire& wire_;
    const Address peer_{"127.0.0.1", 1};
};

/// Runs posted tasks when it is told to; timers never.
class FakeRuntime final : public Runtime {
public:
    TimePoint now() const override { return {}; }
    void post(Task task) override { tasks_.push_back(std::move(task)); }
    std::unique_ptr<Timer> at(TimePoint, Task) override { return std::make_unique<Timer>(); }
    TurnEnds& turn_ends() override { return turn_ends_; }
    Worker& worker(std::string_view) override { return never<Worker>(); }
    Network& network() override { return never<Network>(); }
    Disk& disk() override { return never<Disk>(); }
    Host& host() override { return never<Host>(); }
    Random& random() override { return never<Random>(); }

    void turn() {
        for (auto ready = std::exchange(tasks_, {}); !ready.empty(); ready.pop_front()) {
            ready.front()();
        }
    }

private:
    template <class T>
    static T& never() {
        assert_failed("not used by a link", __FILE__, __LINE__);
    }
    std::deque<Task> tasks_;
    TurnEnds turn_ends_{[this] { post([this] { turn_ends_.run(); }); }};
};

class LinkTest : public ::testing::Test, private Link::Observer {
protected:
    LinkTest() {
        wire::Channel peer(wire::Side::connecting, {});
        EXPECT_TRUE(peer.hello({}));
        const Bytes bytes = peer.flush();
        wire_.observer->received(bytes);
        link_.welcome({});
        runtime_.turn();
    }

    void send(std::size_t size) { EXPECT_TRUE(link_.send(wire::MessageType::delta, Buffer(size))); }

    Wire wire_;
    FakeRuntime runtime_;
    int drained_ = 0;
    Link link_{runtime_, std::make_unique<FakeConnection>(wire_), wire::Side::accepting, {}, *this};

private:
    void link_hello(Link&, Bytes) override {}
    void link_welcome(Link&, Bytes) override {}
    void link_message(Link&, wire::MessageType, Bytes) override {}
    void link_drained(Link&) override { ++drained_; }
    void link_closed(Link&, const Error&) override {}
};

TEST_F(LinkTest, IsFullUntilTheStreamHasSentItsBacklog) {
    wire_.kernel_takes = false;
    send(Connection::high_water_bytes);
    EXPECT_TRUE(link_.full());
    runtime_.turn();
    EXPECT_TRUE(link_.full());
    wire_.backlog = 0;
    wire_.observer->drained();
    EXPECT_FALSE(link_.full());
    EXPECT_EQ(drained_, 1);
}

// Half of it was the stream's backlog, half was not flushed yet. So the stream itself was never
// full.
TEST_F(LinkTest, OneThatOnlySeemedFullDoesNotStayFullForEver) {
    wire_.kernel_takes = false;
    send(Connection::high_water_bytes / 2);
    runtime_.turn();
    EXPECT_FALSE(link_.full());
    send(Connection::high_water_bytes / 2);
    EXPECT_TRUE(link_.full());
    wire_.backlog = 0;
    wire_.kernel_takes = true;
    runtime_.turn();
    EXPECT_FALSE(link_.full());
    EXPECT_EQ(drained_, 1);
}

}  // namespace
}  // namespace understudy::link
