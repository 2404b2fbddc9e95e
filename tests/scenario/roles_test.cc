// Roles: which member is active, and which events come in which order (docs/protocols/roles.md).

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/scenario/stage.h"

namespace understudy::scenario {
namespace {

using Lines = std::vector<std::string>;

/// Two members, the first one active, and a client in sync with it.
struct Pair {
    explicit Pair(const std::string& first_node = "r", MemberPlan plan = {})
        : plan_(std::move(plan)) {
        stage.start_registry();
        plan_.member = "Bar1";
        bar1 = &stage.start_member(first_node, plan_);
        EXPECT_TRUE(stage.until([&] { return stage.active() == "Bar1"; }));
        plan_.member = "Bar2";
        bar2 = &stage.start_member("n2", plan_);
        EXPECT_TRUE(stage.until([&] { return stage.line().size() == 2; }));
        client = &stage.start_client("c", "client");
        EXPECT_TRUE(stage.until([&] { return seen().mirror.in_sync(); }));
    }
    ClientApp& seen() { return client->app<ClientApp>(); }
    MemberApp& first() { return bar1->app<MemberApp>(); }
    MemberApp& second() { return bar2->app<MemberApp>(); }

    Stage stage;
    sim::Process* bar1;
    sim::Process* bar2;
    sim::Process* client;

private:
    MemberPlan plan_;
};

// MASTER; STANDBY; the client sees Bar1; Bar1 dies; STANDBY, MASTER; Bar2.
TEST(FirstFailover, TheSeedsStoryInOrder) {
    Pair pair;
    EXPECT_EQ(pair.first().heard, Lines{"active 1"});
    EXPECT_EQ(pair.second().heard, Lines{"standby 1"});
    EXPECT_EQ(pair.seen().shown, Lines{"Bar1"});

    pair.bar1->crash();
    ASSERT_TRUE(pair.stage.until([&] { return pair.seen().shown.size() == 2; }));

    EXPECT_EQ(pair.seen().shown, (Lines{"Bar1", "Bar2"}));
    EXPECT_EQ(pair.second().heard, (Lines{"standby 1", "active 2"}));
    pair.bar1->restart();
    ASSERT_TRUE(pair.stage.until([&] { return pair.stage.line().size() == 2; }));
    EXPECT_EQ(pair.stage.line(), (Lines{"Bar2", "Bar1"}));
    ASSERT_TRUE(pair.stage.until([&] { return !pair.first().heard.empty(); }));
    EXPECT_EQ(pair.first().heard, Lines{"standby 2"});
}

// On the registry's own host the death is proven, and no lease is awaited.
TEST(FirstFailover, ProvenDeathIsActedOnInMilliseconds) {
    Pair pair("r");
    const TimePoint killed = pair.stage.world.now();
    pair.bar1->crash();
    ASSERT_TRUE(pair.stage.until([&] { return pair.seen().shown.size() == 2; }));
    EXPECT_LT(pair.stage.world.now() - killed, 10ms);
}

// On another host a closed connection proves nothing, and the lease decides.
TEST(FirstFailover, UnprovenDeathWaitsForTheLease) {
    Pair pair("n1");
    const TimePoint killed = pair.stage.world.now();
    pair.bar1->crash();
    ASSERT_TRUE(pair.stage.until([&] { return pair.seen().shown.size() == 2; }));
    EXPECT_GT(pair.stage.world.now() - killed, 700ms);
    EXPECT_LT(pair.stage.world.now() - killed, 1100ms);
}

// I29: the active member hangs for longer than its lease, and resumes in the belief that it is
// active.
TEST(I29Hang, TheResumedOldActiveIsNotHeard) {
    Pair pair("n1");
    pair.bar1->pause();
    ASSERT_TRUE(pair.stage.until([&] { return pair.seen().shown.size() == 2; }));
    const std::uint64_t calls = pair.first().calls;
    pair.bar1->resume();
    ASSERT_TRUE(pair.stage.until([&] { return pair.stage.line() == Lines{"Bar2", "Bar1"}; }));
    pair.stage.world.run_for(2s);

    EXPECT_EQ(pair.seen().shown, (Lines{"Bar1", "Bar2"}));
    EXPECT_EQ(pair.first().calls, calls);
    EXPECT_EQ(pair.first().heard.back().substr(0, 7), "standby");
    EXPECT_EQ(pair.stage.active(), "Bar2");
}

// I29: cut off from registry and client for good.
TEST(I29Cut, TheOtherSideGoesOnAfterTheLease) {
    Pair pair("n1");
    const TimePoint cut = pair.stage.world.now();
    pair.stage.world.isolate("n1");
    ASSERT_TRUE(pair.stage.until([&] { return pair.seen().shown.size() == 2; }));
    EXPECT_LT(pair.stage.world.now() - cut, 1100ms);
    pair.stage.world.heal_network();
    ASSERT_TRUE(pair.stage.until([&] { return pair.stage.line() == Lines{"Bar2", "Bar1"}; }, 30s));
    ASSERT_TRUE(pair.stage.until([&] { return pair.first().role() == Role::standby; }));
}

TEST(I29Cut, OneWayCutsEndInADefinedStateToo) {
    for (const bool outwards : {true, false}) {
        Pair pair("n1");
        for (const char* other : {"r", "c"}) {
            if (outwards) {
                pair.stage.world.cut_one_way("n1", other);
            } else {
                pair.stage.world.cut_one_way(other, "n1");
            }
        }
        ASSERT_TRUE(pair.stage.until([&] { return pair.stage.active() == "Bar2"; }, 5s))
            << outwards;
        ASSERT_TRUE(pair.stage.until([&] { return pair.seen().shown.back() == "Bar2"; }, 5s))
            << outwards;
    }
}

TEST(OnRegistryLoss, KeepGoesOnAndStepDownStops) {
    for (const auto policy : {OnRegistryLoss::keep, OnRegistryLoss::step_down}) {
        Pair pair("n1", {.member = {}, .on_registry_loss = policy});
        pair.stage.world.node("r").process("registry").crash();
        pair.stage.world.run_for(3s);
        pair.seen().call(500ms);
        ASSERT_TRUE(pair.stage.until([&] { return pair.seen().outcomes.size() == 1; }));
        if (policy == OnRegistryLoss::keep) {
            EXPECT_TRUE(pair.seen().outcomes[0]);
            EXPECT_EQ(pair.first().heard, Lines{"active 1"});
        } else {
            ASSERT_FALSE(pair.seen().outcomes[0]);
            EXPECT_EQ(pair.seen().outcomes[0].error().effect, Effect::none);
            EXPECT_EQ(pair.first().heard, (Lines{"active 1", "standby 1"}));
            // The registry returns, and with it the role: no other member was promoted.
            pair.stage.world.node("r").process("registry").restart();
            ASSERT_TRUE(pair.stage.until([&] { return pair.first().role() == Role::active; }));
            EXPECT_EQ(pair.first().heard.back(), "active 1");
        }
    }
}

TEST(Switchover, CallersSeeNoErrorAndAShortStall) {
    Pair pair("n1");
    std::size_t asked = 0;
    std::function<void()> keep_calling = [&] {
        pair.seen().call(2s);
        ++asked;
        if (asked < 400) pair.stage.world.after(1ms, keep_calling);
    };
    keep_calling();
    pair.stage.world.after(100ms, [&] {
        wire::pb::Ask ask;
        ask.mutable_switchover()->set_family("Foo");
        pair.seen().agent->ask(std::move(ask), 5s, [&](const Result<wire::pb::Answer>& answer) {
            pair.seen().answer = answer;
        });
    });
    ASSERT_TRUE(pair.stage.until([&] { return pair.seen().outcomes.size() == 400; }));

    ASSERT_TRUE(pair.stage.until([&] { return pair.seen().answer.has_value(); }));
    ASSERT_TRUE(*pair.seen().answer) << to_string(pair.seen().answer->error());
    EXPECT_EQ((*pair.seen().answer)->member(), "Bar2");
    for (const auto& outcome : pair.seen().outcomes) ASSERT_TRUE(outcome);
    EXPECT_LT(*std::max_element(pair.seen().took.begin(), pair.seen().took.end()), 20ms);
    EXPECT_GT(pair.first().calls, 0u);
    EXPECT_GT(pair.second().calls, 0u);
    EXPECT_EQ(pair.first().calls + pair.second().calls, 400u);
    EXPECT_EQ(pair.stage.line(), (Lines{"Bar2", "Bar1"}));
    EXPECT_EQ(pair.first().heard, (Lines{"active 1", "standby 2"}));
}

// A running call delays the switchover, up to the limit; then nothing changes.
TEST(Switchover, WaitsForRunningCallsAndGivesUpAtItsLimit) {
    Pair pair("n1");
    pair.first().hold_answers = true;
    pair.seen().call(20s);
    ASSERT_TRUE(pair.stage.until([&] { return pair.first().held.size() == 1; }));
    wire::pb::Ask ask;
    ask.mutable_switchover()->set_family("Foo");
    pair.seen().agent->ask(std::move(ask), 10s, [&](const Result<wire::pb::Answer>& answer) {
        pair.seen().answer = answer;
    });
    ASSERT_TRUE(pair.stage.until([&] { return pair.seen().answer.has_value(); }));

    ASSERT_FALSE(*pair.seen().answer);
    EXPECT_EQ(pair.seen().answer->error().code, Errc::timed_out);
    EXPECT_EQ(pair.seen().answer->error().effect, Effect::none);
    EXPECT_EQ(pair.stage.active(), "Bar1");
    pair.first().hold_answers = false;
    pair.first().member->answer(pair.first().held[0], as_bytes("Bar1"));
    pair.seen().call(2s);
    ASSERT_TRUE(pair.stage.until([&] { return pair.seen().outcomes.size() == 2; }));
    EXPECT_TRUE(pair.seen().outcomes[0]);
    EXPECT_TRUE(pair.seen().outcomes[1]);
}

// A supervisor restarts the active member on another host before its death was noticed. The new
// incarnation proves that the old one is gone, and goes to the end of the line.
TEST(Incarnations, ARestartWithinTheLeaseGoesToTheBackOfTheLine) {
    Pair pair("n1");
    pair.bar1->crash();
    pair.bar1->restart();
    ASSERT_TRUE(pair.stage.until([&] { return pair.stage.active() == "Bar2"; }));
    ASSERT_TRUE(pair.stage.until([&] { return pair.stage.line() == Lines{"Bar2", "Bar1"}; }));
    ASSERT_TRUE(pair.stage.until([&] { return !pair.first().heard.empty(); }));
    EXPECT_EQ(pair.first().heard, Lines{"standby 2"});
}

TEST(Names, ASecondProcessWithALiveMembersNameHearsSoAndTakesOverWhenItDies) {
    Pair pair("n1");
    sim::Process& twin = pair.stage.start_member("n3", "Bar1");
    ASSERT_TRUE(pair.stage.until([&] { return !twin.app<MemberApp>().heard.empty(); }));
    EXPECT_EQ(twin.app<MemberApp>().heard[0], "refused already_exists");
    EXPECT_EQ(pair.stage.active(), "Bar1");

    pair.bar1->crash();
    ASSERT_TRUE(pair.stage.until([&] { return pair.stage.line() == Lines{"Bar2", "Bar1"}; }));
    ASSERT_TRUE(pair.stage.until([&] { return twin.app<MemberApp>().role() == Role::standby; }));
}

// I30: the registry can explain each promotion.
TEST(I30Explain, TheStoryHasCauseEvidenceAndEpoch) {
    Pair pair("r");
    pair.bar1->crash();
    ASSERT_TRUE(pair.stage.until([&] { return pair.stage.active() == "Bar2"; }));
    const auto& story = pair.stage.service().story;
    ASSERT_EQ(story.size(), 2u);
    EXPECT_EQ(static_cast<role::Cause>(story[1].cause()), role::Cause::process_gone);
    EXPECT_EQ(story[1].previous(), "Bar1");
    EXPECT_EQ(story[1].epoch(), 2u);
    EXPECT_NE(story[1].evidence().find("has ended"), std::string::npos);
}

}  // namespace
}  // namespace understudy::scenario
