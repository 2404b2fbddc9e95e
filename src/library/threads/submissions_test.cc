// Commands to the loop and answers back, many at once.
#include "library/threads/submissions.h"

#include <deque>
#include <stdexcept>

#include <gtest/gtest.h>

#include "library/platform_test.h"
#include "library/threads/clock.h"

namespace understudy::library {
namespace {

/// The loop is this thread: what is posted to it runs when the test says so.
class SubmissionsTest : public ::testing::Test {
protected:
    using Full = CommandQueue::Full;

    void submit(std::string_view command) {
        submissions.submit(std::nullopt, as_bytes(command), Full::refuse,
                           [heard = heard,
                            text = std::string(command)](const Result<Buffer>& reply) {
                               heard.add(text + " " +
                                         (reply ? std::string(as_text(*reply))
                                                : std::string(name(reply.error().code))));
                               if (text == "throw") throw std::runtime_error("no");
                           });
    }
    void run() {
        while (!tasks.empty()) {
            const auto task = std::move(tasks.front());
            tasks.pop_front();
            task();
        }
    }
    void came() {
        ++turns;
        CommandQueue::Taken& taken = submissions.take();
        for (CommandQueue::Item& item : taken.items) {
            const Bytes command = Bytes(taken.bytes).subspan(item.offset, item.size);
            submissions.answer(std::move(item.answered), Buffer(command.begin(), command.end()),
                               item.size);
        }
    }

    std::deque<std::function<void()>> tasks;
    Heard<std::string> heard;
    int turns = 0;
    std::shared_ptr<Callbacks> callbacks =
        std::make_shared<Callbacks>(std::make_shared<NullLog>(), "test");
    TurnEnds ends{[this] { tasks.push_back([this] { ends.run(); }); }};
    Submissions submissions{
        std::make_shared<NullLog>(),
        callbacks,
        16,
        [this](std::function<void()> task) { tasks.push_back(std::move(task)); },
        [this]() -> TurnEnds& { return ends; },
        [this] { came(); }};
};

TEST_F(SubmissionsTest, ManyComeInOneTurnAndAreAnsweredInTheirOrder) {
    submit("a");
    submit("b");
    submit("c");
    EXPECT_EQ(tasks.size(), 1u) << "one task for all";
    run();
    EXPECT_EQ(turns, 1);
    EXPECT_EQ(heard.wait_for(3), (std::vector<std::string>{"a a", "b b", "c c"}));
}

TEST_F(SubmissionsTest, RoomIsTakenUntilTheAnswerHasBeenTold) {
    submit("0123456789");
    submit("01234567");
    EXPECT_EQ(heard.wait_for(1), std::vector<std::string>{"01234567 limit_exceeded"});
    run();
    heard.wait_for(2);
    callbacks->close(clock_now() + patience);
    submissions.submit(std::nullopt, as_bytes("01234567"), Full::refuse, nullptr);
    EXPECT_EQ(tasks.size(), 1u) << "there is room again";
}

TEST_F(SubmissionsTest, RoomIsGivenBackAlsoWhenNobodyCanBeToldAnyMore) {
    submit("0123456789");
    callbacks->close(clock_now() + patience);
    run();
    EXPECT_TRUE(heard.so_far().empty());
    submit("01234567");
    EXPECT_EQ(tasks.size(), 1u);
}

TEST_F(SubmissionsTest, ACallbackThatThrowsKeepsNobodyFromItsAnswer) {
    submit("throw");
    submit("b");
    run();
    EXPECT_EQ(heard.wait_for(2), (std::vector<std::string>{"throw throw", "b b"}));
}

TEST_F(SubmissionsTest, WhatComesAfterTheCloseIsRefusedAndWhatCameBeforeIsAnswered) {
    submit("a");
    submissions.close();
    submit("b");
    run();
    EXPECT_EQ(heard.wait_for(2), (std::vector<std::string>{"b closed", "a a"}));
}

}  // namespace
}  // namespace understudy::library
