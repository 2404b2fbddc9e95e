#include "replicated/node/outbox.h"

#include <gtest/gtest.h>

#include "replicated/fake_surroundings_test.h"

namespace understudy::replicated {
namespace {

class OutboxTest : public testing::Test {
protected:
    static constexpr GroupId group{5};
    static constexpr ServerId other{2};
    static constexpr ServerId third{3};
    static constexpr Epoch term{4};

    OutboxTest() {
        for (int i = 1; i <= 6; ++i) log.append(group, Epoch{3}, std::to_string(i));
        outbox.lead(term);
    }
    static consensus::AppendRequest request(std::uint64_t prev, std::uint32_t count) {
        return {.term = term,
                .prev_index = {prev},
                .prev_term = {prev == 0 ? 0U : 3U},
                .leader_commit = {},
                .count = count,
                .entries = {}};
    }
    void durable(std::uint64_t position) {
        log.durable_position = {position};
        outbox.durable({position});
    }
    [[nodiscard]] std::vector<std::string> bodies() const {
        std::vector<std::string> all;
        for (const auto& each : around.sent) {
            all.insert(all.end(), each.bodies.begin(), each.bodies.end());
        }
        return all;
    }

    FakeNodeLog log;
    FakeSurroundings around{log};
    std::vector<Errc> failures;
    Outbox outbox{log, around, group,
                  [this](const Error& error) { failures.push_back(error.code); }};
};

TEST_F(OutboxTest, NothingIsSaidBeforeTheTermItSpeaksForIsDurable) {
    outbox.gate({7});
    outbox.put(other, consensus::VoteResult{.term = term, .granted = true});
    outbox.put(other, request(2, 2));
    EXPECT_TRUE(around.sent.empty());
    durable(6);
    EXPECT_TRUE(around.sent.empty());
    durable(7);
    ASSERT_EQ(around.sent.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<consensus::VoteResult>(around.sent[0].message));
    EXPECT_EQ(bodies(), (std::vector<std::string>{"3", "4"}));
}

TEST_F(OutboxTest, EntriesOfTheOwnLogMayLeaveBeforeTheyAreDurable) {
    outbox.gate({1});
    durable(1);
    log.written = {9};
    outbox.put(other, request(0, 6));
    EXPECT_EQ(bodies().size(), 6u);
}

TEST_F(OutboxTest, RequestsOfATenureThatHasEndedAreDropped) {
    outbox.gate({7});
    outbox.put(other, request(2, 2));
    outbox.lead({});
    durable(7);
    EXPECT_TRUE(around.sent.empty());
}

TEST_F(OutboxTest, WhatIsNotInMemoryIsReadAndWhatFollowsWaits) {
    log.cached_from = Index{4};
    outbox.put(other, request(0, 3));
    outbox.put(other, request(3, 2));
    outbox.put(other, request(5, 0));
    outbox.put(third, request(5, 1));
    EXPECT_EQ(bodies(), std::vector<std::string>{"6"}) << "others do not wait";
    log.finish_loading();
    EXPECT_EQ(bodies(), (std::vector<std::string>{"6", "1", "2", "3", "4", "5"}));
    EXPECT_EQ(around.sent.size(), 4u);
}

TEST_F(OutboxTest, WhatWasReadForATenureThatHasEndedIsDropped) {
    log.cached_from = Index{4};
    outbox.put(other, request(0, 3));
    outbox.lead({});
    log.finish_loading();
    EXPECT_TRUE(around.sent.empty());
    outbox.lead(term);
    outbox.put(other, request(3, 1));
    EXPECT_EQ(bodies(), std::vector<std::string>{"4"}) << "the way is free again";
}

TEST_F(OutboxTest, AReadThatIsClearedIsNotWantedAnyMore) {
    log.cached_from = Index{4};
    outbox.put(other, request(0, 3));
    outbox.clear();
    log.finish_loading();
    EXPECT_TRUE(around.sent.empty());
}

TEST_F(OutboxTest, EntriesThatWereTrimmedMeanwhileAreLeftOut) {
    log.cached_from = Index{4};
    outbox.put(other, request(0, 3));
    log.logs[group].first = Index{10};
    log.loading.front().done(Error{.code = Errc::not_found, .detail = {}});
    log.loading.clear();
    EXPECT_TRUE(around.sent.empty());
    EXPECT_TRUE(failures.empty());
}

TEST_F(OutboxTest, ALogThatClosesMeanwhileIsNoFailure) {
    log.cached_from = Index{4};
    outbox.put(other, request(0, 3));
    log.loading.front().done(Error{.code = Errc::closed, .detail = {}});
    EXPECT_TRUE(around.sent.empty());
    EXPECT_TRUE(failures.empty());
}

TEST_F(OutboxTest, EntriesThatTheDiskDoesNotGiveBackAreNotSentAndToldOfOnce) {
    log.cached_from = Index{4};
    for (const Errc code : {Errc::corrupt, Errc::disk_failed}) {
        outbox.put(other, request(0, 3));
        outbox.put(other, request(3, 2));
        std::exchange(log.loading, {}).front().done(Error{.code = code, .detail = {}});
    }
    EXPECT_TRUE(around.sent.empty()) << "what waited behind them is not sent either";
    EXPECT_EQ(failures, (std::vector<Errc>{Errc::corrupt, Errc::disk_failed}));
}

TEST_F(OutboxTest, ARottenEntryIsToldOfAlsoWhenTheTenureItWasReadForHasEnded) {
    log.cached_from = Index{4};
    outbox.put(other, request(0, 3));
    outbox.lead({});
    log.loading.front().done(Error{.code = Errc::corrupt, .detail = {}});
    EXPECT_EQ(failures, std::vector<Errc>{Errc::corrupt});
}

TEST_F(OutboxTest, AConfigurationTravelsAlone) {
    log.append(group, Epoch{4}, "c", consensus::EntryKind::configuration);
    log.append(group, Epoch{4}, "8");
    outbox.put(other, request(4, 4));
    ASSERT_EQ(around.sent.size(), 3u);
    EXPECT_EQ(around.sent[1].bodies, std::vector<std::string>{"c"});
    const auto& last = std::get<consensus::AppendRequest>(around.sent[2].message);
    EXPECT_EQ(last.prev_index, Index{7});
    EXPECT_EQ(last.prev_term, Epoch{4});
}

TEST_F(OutboxTest, AMessageHasSoManyBytesAndOneEntryAtLeast) {
    const std::string large(Outbox::message_bytes_max, 'x');
    log.append(group, Epoch{4}, large);
    log.append(group, Epoch{4}, large);
    outbox.put(other, request(5, 3));
    EXPECT_EQ(around.sent.size(), 3u);
}

TEST_F(OutboxTest, APeerThatDoesNotReadGetsNoEntries) {
    around.congested_to.insert(other);
    outbox.put(other, request(0, 6));
    outbox.put(other, request(6, 0));
    ASSERT_EQ(around.sent.size(), 1u) << "but heartbeats";
}

TEST_F(OutboxTest, WhatIsHeldIsBounded) {
    outbox.gate({1});
    for (std::size_t i = 0; i < Outbox::held_max + 10; ++i) outbox.put(other, request(6, 0));
    durable(1);
    EXPECT_EQ(around.sent.size(), Outbox::held_max);
}

}  // namespace
}  // namespace understudy::replicated
