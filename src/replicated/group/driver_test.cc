#include "replicated/group/driver.h"

#include <gtest/gtest.h>

#include "replicated/entry_body.h"
#include "replicated/group/part_fixture_test.h"

namespace understudy::replicated {
namespace {

using Calls = std::vector<std::string>;

class DriverTest : public PartTest {
protected:
    DriverTest() {
        EXPECT_TRUE(driver.start({}, true));
        owner.take();
    }
    [[nodiscard]] FakeCore& core() { return *FakeCore::latest; }
    /// A step that brings these effects.
    void step(consensus::Effects effects) {
        core().scripted.push_back(std::move(effects));
        static_cast<void>(driver.step(consensus::Deadline{}));
    }
    static consensus::PersistEntries entries(std::uint64_t from, std::uint64_t number) {
        return {.from = Index{from},
                .entries = {{.term = Epoch{2}, .kind = consensus::EntryKind::command, .body = {}}},
                .write = number};
    }
    bool durable() {
        log.durable_position = log.written;
        return driver.durable(log.written);
    }
    [[nodiscard]] ConsensusMessage append_request(bool urgent) const {
        return {
            .group = group_id,
            .message = consensus::AppendRequest{.term = {2},
                                                .prev_index = {},
                                                .prev_term = {},
                                                .leader_commit = {},
                                                .count = 1,
                                                .entries = {{.term = Epoch{2},
                                                             .kind = consensus::EntryKind::command,
                                                             .body = {}}}},
            .urgent = {urgent}};
    }

    const GroupContext context = context_of(MemberKind::data);
    FakeOwner owner;
    Driver driver{context, owner};
};

TEST_F(DriverTest, AMessageWaitsForTheTermThatItSpeaksFor) {
    step({consensus::PersistHardState{.hard = {.term = {3}, .vote = b}},
          consensus::Send{.to = b, .message = consensus::VoteResult{.term = {3}}}});
    EXPECT_TRUE(around.sent.empty());
    EXPECT_EQ(decode_group_state(log.states[group_id])->hard.vote, b);
    EXPECT_TRUE(durable());
    EXPECT_EQ(around.sent.size(), 1u);
}

TEST_F(DriverTest, TheCoreHearsOnceWhatIsDurable) {
    step({entries(1, 1)});
    step({entries(2, 2)});
    EXPECT_EQ(driver.writes().last(), Index{});
    EXPECT_TRUE(durable());
    EXPECT_TRUE(durable());
    EXPECT_EQ(core().count<consensus::Persisted>(), 1u);
    EXPECT_EQ(std::get<consensus::Persisted>(core().events.back()).write, 2u);
    EXPECT_EQ(driver.writes().last(), Index{2});
}

TEST_F(DriverTest, EntriesThatAreCutAreNotDurable) {
    step({entries(1, 1)});
    step({entries(2, 2)});
    durable();
    step({entries(1, 3)});
    EXPECT_EQ(driver.writes().last(), Index{});
    EXPECT_EQ(log.last(group_id), Index{1});
    durable();
    EXPECT_EQ(driver.writes().last(), Index{1});
}

TEST_F(DriverTest, TheLeadIsWhatTheCoreSaidLast) {
    core().state_now = consensus::State::leader;
    core().term_now = Epoch{3};
    step({consensus::StateChanged{.state = consensus::State::leader, .term = {3}, .leader = self}});
    EXPECT_EQ(owner.take(), Calls{"led in 0"});
    EXPECT_TRUE(driver.leads());
    EXPECT_EQ(driver.leader(), self);
    core().term_now = Epoch{4};
    EXPECT_FALSE(driver.leads()) << "the core knows better already";
    step({consensus::StateChanged{.state = consensus::State::follower, .term = {4}, .leader = {}}});
    EXPECT_EQ(owner.take(), Calls{"led in 3"});
    EXPECT_EQ(driver.leader(), ServerId{});
    EXPECT_EQ(driver.leader_term(), Epoch{3}) << "nobody is known to lead in term 4";
}

TEST_F(DriverTest, AFullDiskTakesOnlyUrgentEntriesFromALeader) {
    log.space_now = journal::Space::reserve_only;
    EXPECT_FALSE(driver.receive(b, append_request(false)));
    EXPECT_EQ(core().count<consensus::Receive>(), 0u);
    core().scripted.push_back({entries(1, 1)});
    EXPECT_TRUE(driver.receive(b, append_request(true)));
    EXPECT_TRUE(is_urgent(log.logs[group_id].entries.back().kind)) << "at this member too";
    step({entries(2, 2)});
    EXPECT_FALSE(is_urgent(log.logs[group_id].entries.back().kind)) << "of a later step";
}

TEST_F(DriverTest, AWriteThatFailsEndsTheGroupBeforeAnythingIsSent) {
    log.refuse = Error{.code = Errc::disk_failed, .detail = {}};
    step({entries(1, 1), consensus::Send{.to = b, .message = consensus::VoteResult{}}});
    EXPECT_EQ(owner.take(), Calls{"fail disk_failed"});
    EXPECT_TRUE(around.sent.empty());
    EXPECT_FALSE(driver.runs());
}

TEST_F(DriverTest, ATaskRunsWhenItsWriteIsDurable) {
    int ran = 0;
    const auto position = driver.write();
    ASSERT_TRUE(position);
    driver.writes().when_durable(*position, [&] { ++ran; });
    EXPECT_TRUE(driver.durable({0}));
    EXPECT_EQ(ran, 0);
    driver.writes().when_durable(*position, [&] { owner.has_ended = true; });
    driver.writes().when_durable(*position, [&] { ++ran; });
    EXPECT_FALSE(durable()) << "the group has ended meanwhile";
    EXPECT_EQ(ran, 1);
}

TEST_F(DriverTest, WorkForAnEarlierRunIsDropped) {
    int ran = 0;
    auto of_first_run = driver.guarded([&] { ++ran; });
    of_first_run();
    EXPECT_EQ(ran, 1);
    step({entries(1, 1)});
    driver.stop();
    EXPECT_FALSE(driver.runs());
    of_first_run();
    EXPECT_EQ(ran, 1);
    ASSERT_TRUE(driver.start({}, true));
    durable();
    EXPECT_EQ(core().count<consensus::Persisted>(), 0u) << "a write of the core before it";
}

}  // namespace
}  // namespace understudy::replicated
