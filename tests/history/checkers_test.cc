#include "tests/history/checkers.h"

#include <gtest/gtest.h>

namespace understudy::history {
namespace {

/// A history from lines: process or witness, type, verb, key, value, epoch, rev.
class Story {
public:
    Story& client(std::int64_t process, Type type, std::string f,
                  boost::json::value value = nullptr) {
        return push(
            {.process = process, .type = type, .f = std::move(f), .key = "k", .value = value});
    }
    Story& nemesis(std::string f) {
        return push({.process = -1, .witness = "nemesis", .type = Type::info, .f = std::move(f)});
    }
    Story& after(std::int64_t milliseconds) {
        time_ += milliseconds * 1'000'000;
        return *this;
    }
    [[nodiscard]] const History& history() const { return history_; }

private:
    Story& push(Event event) {
        event.index = history_.events.size();
        event.time = time_;
        history_.events.push_back(std::move(event));
        return *this;
    }

    History history_;
    std::int64_t time_ = 0;
};

std::vector<std::int64_t> gaps_ms(const Story& story) {
    std::vector<std::string> faults;
    const auto operations = operations_of(story.history(), faults);
    EXPECT_TRUE(faults.empty());
    std::vector<std::int64_t> result;
    for (const Gap& gap : gaps_of(story.history(), operations)) {
        result.push_back(gap.open ? -1 : gap.nanoseconds / 1'000'000);
    }
    return result;
}

// The gap of a fault is the longest time without an acknowledgement until the next fault. Refusals
// and unknown outcomes do not count as service, and healing is not a fault.
TEST(Gaps, TheLongestStretchCountsForItsFault) {
    Story story;
    story.client(1, Type::invoke, "write", 1).after(1).client(1, Type::ok, "write");
    story.after(10).nemesis("kill");
    story.client(1, Type::invoke, "write", 2).after(3).client(1, Type::ok, "write");
    story.client(1, Type::invoke, "write", 3).after(40).client(1, Type::ok, "write");
    story.nemesis("heal");
    story.client(1, Type::invoke, "write", 4).after(5).client(1, Type::ok, "write");
    story.after(100).nemesis("pause");
    story.client(1, Type::invoke, "write", 5).after(1).client(1, Type::fail, "write");
    story.client(1, Type::invoke, "write", 6).after(6).client(1, Type::ok, "write");
    EXPECT_EQ(gaps_ms(story), (std::vector<std::int64_t>{107, 7}));
}

TEST(Gaps, NobodyServedAgainIsOpen) {
    Story story;
    story.client(1, Type::invoke, "write", 1).after(1).client(1, Type::ok, "write");
    story.nemesis("kill").after(5).client(1, Type::invoke, "write", 2).after(9);
    story.client(1, Type::info, "write");
    EXPECT_EQ(gaps_ms(story), std::vector<std::int64_t>{-1});
}

TEST(Journals, AnEmptyContentLosesWhatWasAcknowledged) {
    Story story;
    story.client(1, Type::invoke, "append", "a").client(1, Type::ok, "append");
    story.client(2, Type::ok, "final", boost::json::array());
    std::vector<std::string> faults;
    const auto operations = operations_of(story.history(), faults);
    EXPECT_EQ(faults_in_journals(story.history(), operations).size(), 1u);
}

TEST(Journals, AValueSentTwiceIsAMistakeOfTheRun) {
    Story story;
    story.client(1, Type::invoke, "append", "a").client(1, Type::ok, "append");
    story.client(1, Type::invoke, "append", "a").client(1, Type::fail, "append");
    story.client(2, Type::ok, "final", boost::json::array{"a"});
    std::vector<std::string> faults;
    const auto operations = operations_of(story.history(), faults);
    const auto found = faults_in_journals(story.history(), operations);
    ASSERT_FALSE(found.empty());
    EXPECT_NE(found[0].find("was sent before"), std::string::npos);
}

}  // namespace
}  // namespace understudy::history
