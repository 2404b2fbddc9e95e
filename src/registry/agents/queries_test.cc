#include "registry/agents/queries.h"

#include "registry/tenure/parts_test.h"

namespace understudy::registry {
namespace {

class QueriesAlone : public testing::Test {
protected:
    [[nodiscard]] pb::Answer ask(pb::Ask question) {
        question.set_request(5);
        queries.ask(turn, session, question);
        return Parts::sent<pb::Answer>(turn, session, MessageType::answer).value_or(pb::Answer());
    }
    [[nodiscard]] static pb::Ask lookup(bool cached) {
        pb::Ask question;
        question.mutable_lookup()->set_family("Foo");
        question.mutable_lookup()->set_cached(cached);
        return question;
    }

    Parts parts;
    Reports reports{parts.state};
    Queries queries{"node", "1.0", parts.state, parts.sessions, reports, parts.now - 3s};
    Turn turn = parts.turn();
    const SessionId session{1};
};

TEST_F(QueriesAlone, ALookupWaitsUntilItIsCertainThatThisNodeIsActive) {
    parts.join("Foo", "Bar", 1);
    EXPECT_EQ(ask(lookup(false)).request(), 0u);
    const std::uint64_t token = std::get<Confirm>(turn.out.at(0)).token;
    queries.confirmed(turn, token, {});
    const auto answer = Parts::sent<pb::Answer>(turn, session, MessageType::answer);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->request(), 5u);
    EXPECT_EQ(answer->lookup().services(0).active(), "Bar");
    EXPECT_EQ(answer->lookup().node(), "node");
    EXPECT_FALSE(answer->lookup().cached());
}

TEST_F(QueriesAlone, ACachedLookupIsAnsweredAtOnce) {
    EXPECT_TRUE(ask(lookup(true)).lookup().cached());
}

TEST_F(QueriesAlone, LookupsThatAreNotConfirmedFail) {
    (void)ask(lookup(false));
    queries.retire(turn, {.code = Errc::not_active});
    const auto failed = [&] {
        return Parts::sent<pb::Answer>(turn, session, MessageType::answer)->failure().code();
    };
    EXPECT_EQ(failed(), static_cast<std::uint32_t>(Errc::not_active));
    queries.confirmed(turn, 1, Error{.code = Errc::timed_out});
    EXPECT_EQ(failed(), static_cast<std::uint32_t>(Errc::timed_out));
}

TEST_F(QueriesAlone, LookupsInFlightAreBounded) {
    for (std::size_t i = 0; i < Queries::lookups_max; ++i) {
        pb::Ask question = lookup(false);
        queries.ask(turn, session, question);
    }
    EXPECT_EQ(ask(lookup(false)).failure().code(),
              static_cast<std::uint32_t>(Errc::limit_exceeded));
}

TEST_F(QueriesAlone, TheStoryTellsHowLongAPromotionTook) {
    parts.join("Foo", "Bar", 1);
    pb::Ask question;
    question.mutable_explain()->set_family("Foo");
    EXPECT_EQ(ask(question).promotions(0).decided_us(), 0u);
    queries.promoted(parts.state.find("Foo")->story.back(), 7ms);
    EXPECT_EQ(ask(question).promotions(0).decided_us(), 7000u);
    question.mutable_explain()->set_family("Nobody");
    EXPECT_EQ(ask(question).failure().code(), static_cast<std::uint32_t>(Errc::not_found));
}

TEST_F(QueriesAlone, ThePlatformIsDescribed) {
    parts.join("Foo", "Bar", 1);
    parts.connect(1);
    queries.set_space("reserve_only");
    pb::Ask question;
    question.mutable_platform();
    const pb::PlatformInfo info = ask(question).platform();
    EXPECT_EQ(info.platform(), "test");
    EXPECT_EQ(info.members(), 1u);
    EXPECT_EQ(info.sessions(), 1u);
    EXPECT_EQ(info.agents(), 1u);
    EXPECT_EQ(info.space(), "reserve_only");
    EXPECT_EQ(info.uptime_ms(), 3000u);
    EXPECT_EQ(info.version(), "1.0");
}

TEST_F(QueriesAlone, WhatIsUnknownIsRefused) {
    EXPECT_EQ(ask({}).failure().code(), static_cast<std::uint32_t>(Errc::bad_config));
}

}  // namespace
}  // namespace understudy::registry
