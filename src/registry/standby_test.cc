#include "registry/standby.h"

#include <gtest/gtest.h>

#include "wire/control.h"

namespace understudy::registry {
namespace {

namespace pb = wire::pb;
using wire::MessageType;

/// A node that is not active: r2 of three.
class Door {
public:
    Door() {
        pb::RegistryCommand command;
        command.mutable_found()->set_platform("stage");
        command.mutable_found()->set_registry_id(77);
        apply(command);
        standby.set_nodes({{"r1", {"h", 1}}, {"r2", {"h", 2}}, {"r3", {"h", 3}}});
    }

    void apply(const pb::RegistryCommand& command) {
        Buffer body;
        Buffer reply;
        index = index.next();
        state.apply({.index = index, .body = wire::encode(command, body)}, reply);
    }

    void add_member(const std::string& family) {
        pb::RegistryCommand command;
        pb::AddMember& add = *command.mutable_add();
        add.set_incarnation(5);
        add.mutable_wanted()->mutable_config()->set_family(family);
        add.mutable_wanted()->mutable_config()->set_redundancy(1);
        add.mutable_wanted()->mutable_config()->set_lease_ms(1000);
        add.mutable_wanted()->set_member("m1");
        apply(command);
    }

    /// The sessions that were answered since the last call, and their answers.
    struct Answered {
        std::vector<std::pair<SessionId, pb::Welcome>> last;     ///< Redirected.
        std::vector<std::pair<SessionId, pb::Welcome>> readers;  ///< Accepted for cached lookups.
        std::vector<std::pair<SessionId, Error>> refused;
        std::vector<std::pair<SessionId, pb::Answer>> answers;
    };
    static Answered sort(Standby::Effects effects) {
        Answered out;
        for (Standby::Effect& effect : effects) {
            if (auto* greet = std::get_if<Standby::Greet>(&effect)) {
                (greet->last ? out.last : out.readers).emplace_back(greet->to, greet->welcome);
            } else if (auto* refuse = std::get_if<Standby::Refuse>(&effect)) {
                out.refused.emplace_back(refuse->to, refuse->reason);
            } else if (auto* send = std::get_if<Standby::Send>(&effect)) {
                if (send->type == MessageType::answer) {
                    out.answers.emplace_back(send->to, *wire::decode_as<pb::Answer>(send->body));
                }
            }
        }
        return out;
    }

    Answered greet(std::uint64_t session, const pb::Hello& hello) {
        return sort(standby.greeted(now, SessionId{session}, hello));
    }
    Answered ask(std::uint64_t session, const pb::Ask& ask) {
        Buffer body;
        auto effects =
            standby.received(now, SessionId{session}, MessageType::ask, wire::encode(ask, body));
        EXPECT_TRUE(effects);
        return sort(*std::move(effects));
    }
    Answered active(const std::string& name) { return sort(standby.active_changed(now, name)); }

    static pb::Hello reader() {
        pb::Hello hello;
        hello.set_any_node(true);
        return hello;
    }

    TimePoint now{100s};
    Index index;
    State state;
    Standby standby{{.name = "r2", .hold_max = 400ms}, state};
};

TEST(Standby, SendsAgentsToTheNodeThatIsActive) {
    Door door;
    (void)door.active("r1");

    const auto answered = door.greet(1, {});

    ASSERT_EQ(answered.last.size(), 1u);
    const pb::Welcome& welcome = answered.last[0].second;
    EXPECT_TRUE(welcome.not_active());
    EXPECT_EQ(welcome.active_node(), "r1");
    EXPECT_EQ(welcome.nodes_size(), 3);
    EXPECT_EQ(welcome.peer(), "r2");
}

TEST(Standby, HoldsAgentsUntilItIsDecidedWhoIsActive) {
    Door door;
    EXPECT_TRUE(door.greet(1, {}).last.empty());

    const auto answered = door.active("r3");

    ASSERT_EQ(answered.last.size(), 1u);
    EXPECT_EQ(answered.last[0].second.active_node(), "r3");
    EXPECT_EQ(door.standby.next_deadline(), TimePoint::max());
}

// The agent has just seen r1 die, so a redirect to r1 would be useless.
TEST(Standby, HoldsAnAgentThatFoundTheActiveNodeGone) {
    Door door;
    (void)door.active("r1");
    pb::Hello hello;
    hello.set_lost_node("r1");
    EXPECT_TRUE(door.greet(1, hello).last.empty());
    EXPECT_TRUE(door.active("").last.empty());

    const auto answered = door.active("r3");

    ASSERT_EQ(answered.last.size(), 1u);
    EXPECT_EQ(answered.last[0].second.active_node(), "r3");
}

TEST(Standby, HoldsNobodyForLongerThanItsBound) {
    Door door;
    (void)door.greet(1, {});
    EXPECT_EQ(door.standby.next_deadline(), door.now + 400ms);
    door.now += 399ms;
    EXPECT_TRUE(Door::sort(door.standby.tick(door.now)).last.empty());
    door.now += 1ms;

    const auto answered = Door::sort(door.standby.tick(door.now));

    ASSERT_EQ(answered.last.size(), 1u);
    EXPECT_EQ(answered.last[0].second.active_node(), "");
}

TEST(Standby, LetsInThoseAtTheDoorWhenItBecomesActive) {
    Door door;
    pb::Hello hello;
    hello.set_agent("a");
    (void)door.greet(1, hello);
    (void)door.greet(2, hello);
    door.standby.closed(SessionId{2});

    const auto let_in = door.standby.let_in();

    ASSERT_EQ(let_in.size(), 1u);
    EXPECT_EQ(let_in.at(SessionId{1}).agent(), "a");
    EXPECT_TRUE(door.standby.let_in().empty());
}

TEST(Standby, RefusesWhoIsLookingForSomethingElse) {
    Door door;
    pb::Hello other;
    other.set_platform("elsewhere");
    EXPECT_EQ(door.greet(1, other).refused.size(), 1u);
    pb::Hello client;
    client.set_family("Foo");
    EXPECT_EQ(door.greet(2, client).refused.size(), 1u);
}

TEST(CachedLookup, SaysItsRevisionItsAgeAndWhoAnswers) {
    Door door;
    door.add_member("Foo");
    door.standby.set_heard(door.now - 1500ms);
    ASSERT_EQ(door.greet(1, Door::reader()).readers.size(), 1u);
    pb::Ask ask;
    ask.set_request(9);
    ask.mutable_lookup()->set_cached(true);
    ask.mutable_lookup()->set_family("Foo");

    const auto answered = door.ask(1, ask);

    ASSERT_EQ(answered.answers.size(), 1u);
    const pb::Answer& answer = answered.answers[0].second;
    EXPECT_EQ(answer.request(), 9u);
    ASSERT_EQ(answer.lookup().services_size(), 1);
    EXPECT_EQ(answer.lookup().services(0).active(), "m1");
    EXPECT_EQ(answer.lookup().revision(), door.state.revision().value);
    EXPECT_EQ(answer.lookup().age_ms(), 1500u);
    EXPECT_EQ(answer.lookup().node(), "r2");
}

TEST(CachedLookup, NeverGoesBackBehindWhatTheAskerHasSeen) {
    Door door;
    door.add_member("Foo");
    (void)door.greet(1, Door::reader());
    pb::Ask ask;
    ask.mutable_lookup()->set_cached(true);
    ask.mutable_lookup()->set_min_revision(door.state.revision().value + 1);

    const auto behind = door.ask(1, ask);
    door.add_member("Other");
    const auto caught_up = door.ask(1, ask);

    EXPECT_EQ(behind.answers[0].second.failure().code(),
              static_cast<std::uint32_t>(Errc::unavailable));
    EXPECT_EQ(caught_up.answers[0].second.lookup().services_size(), 2);
}

TEST(CachedLookup, WhatMustBeCertainIsNotAnsweredByANodeThatIsNotActive) {
    Door door;
    (void)door.greet(1, Door::reader());
    pb::Ask lookup;
    (void)lookup.mutable_lookup();
    pb::Ask switchover;
    switchover.mutable_switchover()->set_family("Foo");

    for (const pb::Ask& ask : {lookup, switchover}) {
        const auto answered = door.ask(1, ask);
        ASSERT_EQ(answered.answers.size(), 1u);
        EXPECT_EQ(answered.answers[0].second.failure().code(),
                  static_cast<std::uint32_t>(Errc::not_active));
        EXPECT_EQ(answered.answers[0].second.failure().effect(), 0u);
    }
}

TEST(CachedLookup, AnythingButQuestionsEndsTheSession) {
    Door door;
    (void)door.greet(1, Door::reader());
    EXPECT_FALSE(door.standby.received(door.now, SessionId{1}, MessageType::register_member, {}));
    EXPECT_FALSE(
        door.standby.received(door.now, SessionId{1}, MessageType::ask, as_bytes("\xff\xff\xff")));
}

TEST(Standby, BoundsThoseItHoldsAndItsReaders) {
    Door door;
    for (std::uint64_t i = 0; i < Standby::held_max; ++i) (void)door.greet(1 + i, {});
    EXPECT_EQ(door.greet(1 + Standby::held_max, {}).last.size(), 1u);
    const std::uint64_t first = 100'000;
    for (std::uint64_t i = 0; i < Standby::readers_max; ++i) {
        (void)door.greet(first + i, Door::reader());
    }
    const auto refused = door.greet(first + Standby::readers_max, Door::reader()).refused;
    ASSERT_EQ(refused.size(), 1u);
    EXPECT_EQ(refused[0].second.code, Errc::limit_exceeded);
}

}  // namespace
}  // namespace understudy::registry
