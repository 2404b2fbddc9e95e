#include "link/acceptor.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "link/dial.h"
#include "sim/world.h"

namespace understudy::link {
namespace {

constexpr std::uint16_t acceptor_port = 7000;
const Error denied{.code = Errc::denied, .detail = "not you"};
const Error not_active{.code = Errc::not_active, .detail = "not active here"};

/// A port with an acceptor. It records all events.
class Door final : public Acceptor::Observer, private Link::Observer {
public:
    Door(Runtime& runtime, Log& log, std::size_t links_max) {
        acceptor = std::make_unique<Acceptor>(
            runtime, log,
            Acceptor::Options{.link = {.handshake_limit = 2s},
                              .links_max = links_max,
                              .refused_event = "door.refused"},
            static_cast<Acceptor::Observer&>(*this));
        auto opened = runtime.network().listen({"", acceptor_port}, {}, [this](auto connection) {
            if (acceptor) acceptor->accept(std::move(connection));
        });
        US_ASSERT(opened);
        listener_ = *std::move(opened);
    }

    void release(LinkId id) { released = acceptor->release(id, {}, *this); }

    std::unique_ptr<Acceptor> acceptor;
    std::vector<LinkId> hellos;
    std::vector<std::string> messages;
    std::vector<LinkId> closed;
    std::function<void(LinkId)> on_hello = [](LinkId) {};
    std::unique_ptr<Link> released;
    std::vector<std::string> released_messages;

private:
    void peer_hello(LinkId id, Bytes) override {
        hellos.push_back(id);
        on_hello(id);
    }
    void peer_message(LinkId, wire::MessageType, Bytes body) override {
        messages.emplace_back(as_text(body));
    }
    void peer_closed(LinkId id) override { closed.push_back(id); }

    void link_hello(Link&, Bytes) override { FAIL(); }
    void link_welcome(Link&, Bytes) override { FAIL(); }
    void link_message(Link&, wire::MessageType, Bytes body) override {
        released_messages.emplace_back(as_text(body));
    }
    void link_drained(Link&) override {}
    void link_closed(Link&, const Error&) override { released.reset(); }

    std::unique_ptr<Listener> listener_;
};

/// Connects to the door, and says hello unless it is silent.
class Visitor final : private Link::Observer {
public:
    enum class Manners { says_hello, silent };

    Visitor(Runtime& runtime, Manners manners) {
        if (manners == Manners::silent) {
            attempt_ = runtime.network().connect({"door", acceptor_port}, {}, 1s,
                                                 [this, &runtime](auto made) {
                                                     US_ASSERT(made);
                                                     link = std::make_unique<Link>(
                                                         runtime, *std::move(made),
                                                         wire::Side::connecting, Link::Options{},
                                                         static_cast<Link::Observer&>(*this));
                                                 });
            return;
        }
        dial = std::make_unique<Dial>(
            runtime, Dial::Options{.address = {"door", acceptor_port}, .tls = {}},
            [] { return Buffer{}; },
            [this](Result<Dial::Welcomed> result) {
                if (!result) {
                    ended = result.error();
                    return;
                }
                welcome = as_text(result->opaque);
                link = std::move(result->link);
                link->observe(*this);
            });
    }
    void say(std::string_view text) {
        (void)link->send(wire::MessageType::heartbeat, as_bytes(text));
    }

    std::unique_ptr<Dial> dial;
    std::unique_ptr<Link> link;
    std::optional<std::string> welcome;
    std::optional<Error> ended;

private:
    void link_hello(Link&, Bytes) override { FAIL(); }
    void link_welcome(Link&, Bytes) override { FAIL(); }
    void link_message(Link&, wire::MessageType, Bytes) override {}
    void link_drained(Link&) override {}
    void link_closed(Link&, const Error& reason) override { ended = reason; }

    std::unique_ptr<Attempt> attempt_;
};

class AcceptorTest : public ::testing::Test {
protected:
    AcceptorTest() {
        world.on_log([this](const sim::Process&, std::string_view event, const std::string&) {
            refusals += event == "door.refused";
        });
        world.add_node("door");
        world.add_node("out");
    }
    Door& open(std::size_t links_max = 10) {
        door_ = &world.node("door").start("door", [links_max](Runtime& runtime, Log& log) {
            return std::make_unique<Door>(runtime, log, links_max);
        });
        return door();
    }
    [[nodiscard]] Door& door() { return door_->app<Door>(); }
    [[nodiscard]] Acceptor& acceptor() { return *door().acceptor; }
    sim::Process& come(Visitor::Manners manners = Visitor::Manners::says_hello) {
        sim::Process& visitor = world.node("out").start(
            "visitor" + std::to_string(++visitors_), [manners](Runtime& runtime, Log&) {
                return std::make_unique<Visitor>(runtime, manners);
            });
        world.run_for(10ms);
        return visitor;
    }
    static Visitor& in(sim::Process& process) { return process.app<Visitor>(); }
    /// Runs a task on the loop, as a callback of a program would.
    void act(const std::function<void()>& task) {
        door_->runtime().post(task);
        world.run_for(10ms);
    }

    sim::World world;
    int refusals = 0;

private:
    sim::Process* door_ = nullptr;
    int visitors_ = 0;
};

TEST_F(AcceptorTest, AnAdmittedLinkIsHeardUntilItEnds) {
    open().on_hello = [this](LinkId id) { acceptor().admit(id, as_bytes("come in")); };
    sim::Process& visitor = come();
    EXPECT_EQ(in(visitor).welcome, "come in");
    act([&] { in(visitor).say("hi"); });
    EXPECT_EQ(door().messages, std::vector<std::string>{"hi"});
    visitor.crash();
    world.run_for(10ms);
    EXPECT_EQ(door().closed, door().hellos);
    EXPECT_EQ(acceptor().size(), 0U);
    EXPECT_EQ(acceptor().find(door().hellos.front()), nullptr);
}

TEST_F(AcceptorTest, WhoIsRefusedIsToldWhyAndReportedOnce) {
    open().on_hello = [this](LinkId id) {
        acceptor().refuse(id, denied);
        acceptor().refuse(id, denied);
        EXPECT_EQ(acceptor().admit(id, {}), nullptr);
    };
    sim::Process& visitor = come();
    ASSERT_TRUE(in(visitor).ended);
    EXPECT_EQ(in(visitor).ended->code, Errc::denied);
    world.run_for(5s);
    EXPECT_EQ(refusals, 1);
    EXPECT_TRUE(door().closed.empty());
    EXPECT_EQ(acceptor().size(), 0U);
}

TEST_F(AcceptorTest, WhoIsNotToBlameIsNotReported) {
    open().on_hello = [this](LinkId id) { acceptor().refuse(id, not_active); };
    EXPECT_EQ(in(come()).ended->code, Errc::not_active);
    EXPECT_EQ(refusals, 0);
}

TEST_F(AcceptorTest, WhoIsSentAwayHasTheWelcomeBeforeTheEnd) {
    open().on_hello = [this](LinkId id) {
        acceptor().send_away(id, as_bytes("next door"), not_active);
    };
    sim::Process& visitor = come();
    EXPECT_EQ(in(visitor).welcome, "next door");
    world.run_for(2s);
    EXPECT_TRUE(in(visitor).ended);
    EXPECT_EQ(acceptor().size(), 0U);
}

TEST_F(AcceptorTest, WhoSaysNothingIsClosedInTimeAndIsNobodysConcern) {
    open();
    sim::Process& visitor = come(Visitor::Manners::silent);
    EXPECT_EQ(acceptor().size(), 1U);
    world.run_for(3s);
    EXPECT_TRUE(in(visitor).ended);
    EXPECT_EQ(acceptor().size(), 0U);
    EXPECT_TRUE(door().closed.empty());
}

TEST_F(AcceptorTest, WhoLeavesBeforeItIsAnsweredIsTold) {
    open();
    come().crash();
    world.run_for(10ms);
    EXPECT_EQ(door().closed, door().hellos);
    EXPECT_EQ(acceptor().admit(door().hellos.front(), {}), nullptr);
}

TEST_F(AcceptorTest, TheOldestSilentOneMakesWay) {
    open(2).on_hello = [this](LinkId id) { acceptor().admit(id, {}); };
    sim::Process& first = come(Visitor::Manners::silent);
    sim::Process& second = come(Visitor::Manners::silent);
    EXPECT_TRUE(in(come()).welcome);
    EXPECT_TRUE(in(first).ended);
    EXPECT_FALSE(in(second).ended);
    EXPECT_EQ(acceptor().turned_away(), 1U);
}

TEST_F(AcceptorTest, WhereAllAreInUseTheNewestIsTurnedAway) {
    open(2).on_hello = [this](LinkId id) { acceptor().admit(id, {}); };
    sim::Process& first = come();
    (void)come();
    EXPECT_TRUE(in(come()).ended);
    EXPECT_FALSE(in(first).ended);
    EXPECT_EQ(acceptor().size(), 2U);
    EXPECT_EQ(acceptor().turned_away(), 1U);
}

TEST_F(AcceptorTest, AReleasedLinkIsItsOwnersAndDoesNotCount) {
    open(1).on_hello = [this](LinkId id) { door().release(id); };
    sim::Process& visitor = come();
    EXPECT_TRUE(in(visitor).welcome);
    EXPECT_EQ(acceptor().size(), 0U);
    act([&] { in(visitor).say("hi"); });
    EXPECT_EQ(door().released_messages, std::vector<std::string>{"hi"});
    bool done = false;
    act([&] {
        acceptor().finish(std::move(door().released), not_active, [&done] { done = true; });
        in(visitor).say("too late");
    });
    world.run_for(2s);
    EXPECT_TRUE(done);
    EXPECT_TRUE(in(visitor).ended);
    EXPECT_EQ(door().released_messages.size(), 1U);
}

TEST_F(AcceptorTest, WhatComesAtTheEndIsCalledOnceHoweverItEnds) {
    open(1).on_hello = [this](LinkId id) { acceptor().admit(id, {}); };
    (void)come();
    int done = 0;
    const auto count = [&done] { ++done; };
    const LinkId id = door().hellos.front();
    act([&] { acceptor().finish(id, not_active, count); });
    act([&] { acceptor().finish(id, not_active, count); });
    EXPECT_EQ(done, 2);
    (void)come();
    act([&] {
        acceptor().finish(door().hellos.back(), not_active, count);
        acceptor().clear();
    });
    EXPECT_EQ(done, 3);
    EXPECT_EQ(acceptor().size(), 0U);
}

TEST_F(AcceptorTest, MayEndInAnyCallback) {
    open().on_hello = [this](LinkId) { door().acceptor.reset(); };
    EXPECT_TRUE(in(come()).ended);
    EXPECT_EQ(door().acceptor, nullptr);
}

TEST_F(AcceptorTest, ACutLinkIsSilent) {
    open().on_hello = [this](LinkId id) { acceptor().admit(id, {}); };
    sim::Process& visitor = come();
    act([&] { acceptor().cut(door().hellos.front()); });
    EXPECT_TRUE(in(visitor).ended);
    EXPECT_TRUE(door().closed.empty());
}

}  // namespace
}  // namespace understudy::link
