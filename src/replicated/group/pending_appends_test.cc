#include "replicated/group/pending_appends.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy::replicated {
namespace {

using journal::Urgency;

class PendingAppendsTest : public testing::Test {
protected:
    static constexpr Epoch term{3};

    PendingAppendsTest()
        : pending({.queue_bytes_max = 4000,
                   .outstanding_entries_max = 8,
                   .outstanding_bytes_max = 1000,
                   .entry_bytes_max = 500}) {}

    Result<void> add(const std::string& name, std::size_t entries = 1, std::size_t bytes = 1,
                     Urgency urgency = Urgency::ordinary) {
        PendingAppends::Append append;
        append.drafts.resize(entries);
        for (auto& draft : append.drafts) draft.body.assign(bytes, std::byte{'x'});
        append.done = [this, name](const Result<Index>& result) {
            answers.push_back(name + (result ? "@" + std::to_string(result->value)
                                      : result.error().effect == Effect::none ? "!none"
                                                                              : "!unknown"));
        };
        return pending.add(append, urgency);
    }
    void confirm(const std::string& name) {
        pending.confirm([this, name](const Result<void>& result) {
            answers.push_back(name + (result ? "+" : "-"));
        });
    }
    std::size_t propose() {
        auto round = pending.next();
        if (!round) return 0;
        const std::size_t count = round->entries.size();
        pending.proposed(*std::move(round), last.next(), term);
        last.value += count;
        return count;
    }
    std::vector<std::string> given(const PendingAppends::Answers& due) {
        answers.clear();
        for (const auto& each : due) each.give();
        return answers;
    }
    std::vector<std::string> applied(std::uint64_t index, Epoch epoch = term) {
        PendingAppends::Answers due;
        pending.applied({index}, epoch, due);
        return given(due);
    }
    std::vector<std::string> lost() {
        PendingAppends::Answers due;
        pending.lost(due);
        return given(due);
    }
    using Names = std::vector<std::string>;

    PendingAppends pending;
    Index last;
    std::vector<std::string> answers;
};

TEST_F(PendingAppendsTest, EachIsAnsweredWithItsLastEntry) {
    ASSERT_TRUE(add("a"));
    ASSERT_TRUE(add("b", 3));
    EXPECT_EQ(propose(), 4u);
    EXPECT_EQ(applied(1), Names{"a@1"});
    EXPECT_EQ(applied(2), Names{});
    EXPECT_EQ(applied(3), Names{});
    EXPECT_EQ(applied(4), Names{"b@4"});
    EXPECT_TRUE(pending.idle());
}

TEST_F(PendingAppendsTest, AnEntryOfAnotherTermAtItsPlaceIsNotOurs) {
    ASSERT_TRUE(add("a"));
    propose();
    EXPECT_EQ(applied(1, Epoch{4}), Names{"a!unknown"});
}

TEST_F(PendingAppendsTest, WithTheLeadWhatWasProposedIsUnknownAndWhatWasNotDidNotHappen) {
    ASSERT_TRUE(add("a"));
    propose();
    ASSERT_TRUE(add("b"));
    confirm("c");
    EXPECT_EQ(lost(), (Names{"a!unknown", "b!none", "c-"}));
    EXPECT_EQ(applied(1), Names{});
    EXPECT_TRUE(pending.idle());
}

TEST_F(PendingAppendsTest, NoMoreIsOutstandingThanThereIsCreditFor) {
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(add(std::to_string(i), 3));
    EXPECT_EQ(propose(), 6u);
    EXPECT_FALSE(pending.ready());
    EXPECT_EQ(propose(), 0u);
    EXPECT_EQ(applied(3), Names{"0@3"});
    EXPECT_EQ(propose(), 3u);
}

TEST_F(PendingAppendsTest, CreditCountsBytesToo) {
    ASSERT_TRUE(add("a", 1, 400));
    ASSERT_TRUE(add("b", 1, 400));
    ASSERT_TRUE(add("c", 1, 400));
    EXPECT_EQ(propose(), 2u);
    applied(1);
    EXPECT_EQ(propose(), 1u);
}

TEST_F(PendingAppendsTest, PromotionsOvertakeAndTravelApart) {
    ASSERT_TRUE(add("a"));
    ASSERT_TRUE(add("p", 1, 1, Urgency::promotion));
    const auto round = pending.next();
    ASSERT_TRUE(round);
    EXPECT_EQ(round->urgency, Urgency::promotion);
    EXPECT_EQ(round->entries.size(), 1u);
}

TEST_F(PendingAppendsTest, WhatIsTooLargeOrTooMuchIsRefused) {
    EXPECT_EQ(add("a", 1, 499).error().code, Errc::limit_exceeded);
    EXPECT_EQ(add("a", 9).error().code, Errc::limit_exceeded);
    EXPECT_EQ(add("a", 3, 400).error().code, Errc::limit_exceeded);
    Result<void> result;
    int taken = 0;
    for (; taken < 100 && (result = add("b", 1, 400)); ++taken) {
    }
    EXPECT_EQ(result.error().code, Errc::limit_exceeded);
    EXPECT_EQ(taken, 8);
    EXPECT_TRUE(add("p", 1, 400, Urgency::promotion)) << "each urgency has room of its own";
}

TEST_F(PendingAppendsTest, ARoundThatIsNotTakenComesAgainInItsOrder) {
    PendingAppends::Append escaped;
    escaped.drafts.resize(1);
    escaped.drafts[0].body = {std::byte{0xf5}, std::byte{1}};
    escaped.done = [](const Result<Index>&) {};
    ASSERT_TRUE(pending.add(escaped, Urgency::ordinary));
    ASSERT_TRUE(add("b", 2));
    auto round = pending.next();
    ASSERT_TRUE(round);
    const Buffer before(round->entries[0].body.bytes.begin(), round->entries[0].body.bytes.end());
    ASSERT_TRUE(add("c"));
    pending.returned(*std::move(round));
    EXPECT_FALSE(pending.ready());
    pending.retry();
    EXPECT_TRUE(pending.ready());
    round = pending.next();
    ASSERT_TRUE(round);
    EXPECT_EQ(round->entries.size(), 4u);
    EXPECT_EQ(Buffer(round->entries[0].body.bytes.begin(), round->entries[0].body.bytes.end()),
              before);
    pending.proposed(*std::move(round), Index{1}, term);
    applied(1);
    EXPECT_EQ(applied(3), Names{"b@3"});
    EXPECT_EQ(applied(4), Names{"c@4"});
}

TEST_F(PendingAppendsTest, OneBarrierConfirmsForMany) {
    confirm("a");
    confirm("b");
    EXPECT_EQ(propose(), 1u);
    confirm("c");
    EXPECT_EQ(propose(), 0u) << "the next barrier waits for the one before it";
    EXPECT_EQ(applied(1), (Names{"a+", "b+"}));
    EXPECT_EQ(propose(), 1u);
    EXPECT_EQ(applied(2, Epoch{9}), Names{"c-"});
}

TEST_F(PendingAppendsTest, AConfirmationRidesBehindWhatIsProposedAnyway) {
    confirm("a");
    ASSERT_TRUE(add("b", 2));
    EXPECT_EQ(propose(), 2u);
    EXPECT_EQ(applied(1), Names{});
    EXPECT_EQ(applied(2), (Names{"b@2", "a+"}));
}

TEST_F(PendingAppendsTest, AFullDiskRefusesWhatWaitsForOrdinaryRoom) {
    ASSERT_TRUE(add("a"));
    ASSERT_TRUE(add("p", 1, 1, Urgency::promotion));
    PendingAppends::Answers due;
    pending.refuse_ordinary({.code = Errc::no_space, .detail = {}}, due);
    EXPECT_EQ(given(due), Names{"a!none"});
    EXPECT_EQ(propose(), 1u);
}

}  // namespace
}  // namespace understudy::replicated
