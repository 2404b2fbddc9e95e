// The published status of a member on a journal, and threads that wait for it.
#include "library/threads/status_board.h"

#include <thread>

#include <gtest/gtest.h>

#include "library/platform_test.h"

namespace understudy::library {
namespace {

constexpr Duration at_once = Duration::zero();
constexpr Duration long_enough = patience;

class StatusBoardTest : public ::testing::Test {
protected:
    ~StatusBoardTest() override { end(); }

    static ReplicaStatus status(Role role, std::uint64_t epoch = 1, std::string active = "a") {
        ReplicaStatus status;
        status.role = role;
        status.epoch = Epoch{epoch};
        status.active = std::move(active);
        return status;
    }
    void end() {
        ending.run(patience, loop, *callbacks, [this] {
            board.close();
            loop.post([this] { ending.leave(loop); });
        });
    }

    std::shared_ptr<Callbacks> callbacks =
        std::make_shared<Callbacks>(std::make_shared<NullLog>(), "test");
    Ending ending;
    LoopThread loop{std::make_shared<NullLog>(), "test"};
    Waiter waiter{"board", loop, *callbacks, ending};
    StatusBoard<ReplicaStatus> board{callbacks, waiter};
};

TEST_F(StatusBoardTest, AFailureIsToldToWhoWaitsAndStays) {
    Heard<Errc> waited;
    std::thread waiting([&] { waited.add(board.wait_active(long_enough).error().code); });
    board.show(status(Role::standby));
    board.fail({.code = Errc::in_use, .detail = "two of them"});
    EXPECT_EQ(waited.wait_for(1), std::vector<Errc>{Errc::in_use});
    waiting.join();

    board.show(status(Role::active, 2));
    EXPECT_EQ(board.seen().role, Role::joining);
    ASSERT_TRUE(board.seen().failed);
    EXPECT_EQ(board.with_failure(status(Role::active)).role, Role::joining);
    EXPECT_EQ(board.wait_open(at_once).error().code, Errc::in_use);
    EXPECT_EQ(board.check_open().error().code, Errc::in_use);
}

TEST_F(StatusBoardTest, WhoWaitedInVainIsToldWhy) {
    EXPECT_EQ(board.wait_open(at_once).error().detail, "the journal is not open yet");
    EXPECT_EQ(board.check_open().error().code, Errc::not_active);
    board.show(status(Role::standby, 1, ""));
    EXPECT_TRUE(board.wait_open(at_once));
    EXPECT_TRUE(board.check_open());
    EXPECT_EQ(board.wait_active(at_once).error().detail, "nobody is active");
    board.show(status(Role::standby, 1, "b"));
    const auto waited = board.wait_active(at_once);
    EXPECT_EQ(waited.error().code, Errc::timed_out);
    EXPECT_EQ(waited.error().detail, "b is active");
}

TEST_F(StatusBoardTest, WhoWaitsIsToldWhenItEnds) {
    Heard<Errc> waited;
    std::thread waiting([&] { waited.add(board.wait_open(long_enough).error().code); });
    end();
    EXPECT_EQ(waited.wait_for(1), std::vector<Errc>{Errc::closed});
    waiting.join();
    EXPECT_EQ(board.wait_open(long_enough).error().detail, "the board is closed");
}

TEST_F(StatusBoardTest, NeitherTheLoopNorACallbackMayWait) {
    Heard<Errc> refused;
    const auto wait = [this, refused] { refused.add(board.wait_open(long_enough).error().code); };
    loop.post(wait);
    callbacks->post(wait);
    EXPECT_EQ(refused.wait_for(2), (std::vector<Errc>{Errc::bad_config, Errc::bad_config}));
}

TEST_F(StatusBoardTest, ListenersHearTheLastThenChangesOfRoleEpochAndActiveOnly) {
    Heard<std::string> heard;
    board.show(status(Role::standby));
    board.listen([heard](const ReplicaStatus& now) {
        heard.add(std::string(name(now.role)) + std::to_string(now.epoch.value) + now.active);
    });
    heard.wait_for(1);
    ReplicaStatus more = status(Role::standby);
    more.commands = 7;
    board.show(more);
    EXPECT_EQ(board.seen().commands, 7u) << "status() shows it all the same";
    board.show(status(Role::standby, 2));
    board.show(status(Role::standby, 2, "b"));
    board.show(status(Role::active, 3, "c"));
    board.fail({.code = Errc::disk_failed, .detail = {}});
    EXPECT_EQ(heard.wait_for(5), (std::vector<std::string>{"standby1a", "standby2a", "standby2b",
                                                           "active3c", "joining3c"}));
}

TEST_F(StatusBoardTest, AnAnswerThatDoesNotComeIsUnknown) {
    const auto never = [](const std::shared_ptr<Once<Result<int>>>&) {};
    EXPECT_EQ(waiter.await<int>(1ms, never).error().code, Errc::timed_out);
    EXPECT_EQ(waiter.await<int>(1ms, never).error().effect, Effect::unknown);
    const auto answer = waiter.await<int>(
        long_enough, [](const std::shared_ptr<Once<Result<int>>>& told) { told->set(7); });
    EXPECT_EQ(*answer, 7);
    end();
    EXPECT_EQ(waiter.await<int>(long_enough, never).error().code, Errc::closed);
    EXPECT_EQ(waiter.await<int>(long_enough, never).error().effect, Effect::none);
}

}  // namespace
}  // namespace understudy::library
