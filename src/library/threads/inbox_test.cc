#include "library/threads/inbox.h"

#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "library/records/subscription_impl.h"
#include "record/codec.h"

namespace understudy::library {
namespace {

class InboxTest : public ::testing::Test {
protected:
    using Kind = wire::MessageType;
    using Subscribed = std::shared_ptr<Subscription::Impl>;

    struct Call {
        std::int64_t value;
        bool is_image;
        std::uint64_t sequence;
        friend bool operator==(const Call&, const Call&) = default;
    };

    [[nodiscard]] Subscribed subscribe() {
        return std::make_shared<Subscription::Impl>(
            "record", SubscribeOptions{},
            [this](const RecordImage& image, const RecordChange& change) {
                calls_.push_back({image.integer("n", -1), change.is_image, change.sequence});
            });
    }
    static Buffer image(std::int64_t value) {
        RecordImage content;
        content.fields.emplace("n", value);
        Buffer bytes;
        record::encode_image(content, bytes);
        return bytes;
    }
    static Buffer delta(std::int64_t value, std::size_t padding = 0) {
        RecordChange change;
        change.fields.puts.emplace("n", value);
        if (padding > 0) change.fields.puts.emplace("x", std::string(padding, 'x'));
        Buffer bytes;
        record::encode_delta(change, bytes);
        return bytes;
    }
    bool put(Kind kind, const Subscribed& to, std::uint64_t sequence, Bytes bytes = {},
             std::uint64_t epoch = 1) {
        return inbox_.put({.event = {.type = kind,
                                     .subscription = {},
                                     .epoch = Epoch{epoch},
                                     .sequence = Sequence{sequence},
                                     .bytes = bytes},
                           .subscription = to.get(),
                           .connection = 1});
    }
    /// Acts as the callback thread; returns the subscriptions that need a fresh image.
    std::vector<Subscription::Impl*> work() {
        std::vector<Subscription::Impl*> behind;
        while (inbox_.take(taken_)) {
            taken_.each([&](const Inbox::Entry& entry) {
                if (entry.subscription == nullptr) {
                    ++lost_;
                } else if (entry.subscription->take(log_, entry)) {
                    behind.push_back(entry.subscription);
                }
            });
            if (taken_.late().lost) ++lost_;
            for (const auto& [subscription, note] : taken_.late().notes) {
                if (note.refused) subscription->refused(log_);
                if (note.lagging) behind.push_back(subscription);
            }
            taken_.release();
        }
        return behind;
    }
    /// Adds deltas until the first that finds no room; returns the next sequence.
    std::uint64_t fill(const Subscribed& to, std::uint64_t sequence) {
        const Buffer large = delta(7, 64 * KiB);
        for (std::size_t size = 0; !to->lagging.load(); size += large.size()) {
            EXPECT_LE(size, Inbox::size_max_bytes + large.size());
            (void)put(Kind::delta, to, sequence++, large);
        }
        return sequence;
    }

    NullLog log_;
    Inbox inbox_;
    Inbox::Taken taken_;
    std::vector<Call> calls_;
    int lost_ = 0;
};

TEST_F(InboxTest, BeyondTheBoundChangesAreCountedAndOneImageIsAskedFor) {
    const Subscribed to = subscribe();
    (void)put(Kind::image, to, 1, image(1));
    std::uint64_t next = fill(to, 2);
    for (int i = 0; i < 1000; ++i) (void)put(Kind::delta, to, next++, delta(9, 64 * KiB));
    EXPECT_TRUE(to->lagging.load());

    EXPECT_EQ(work(), std::vector<Subscription::Impl*>{to.get()});
    // Events before the loss are not needed either, because the image has everything.
    EXPECT_EQ(calls_, (std::vector<Call>{{1, true, 1}}));
    EXPECT_EQ(to->coalesced.load(), next - 2);

    // Until the image comes, changes are dropped without using memory.
    EXPECT_FALSE(put(Kind::delta, to, next++, delta(10)));
    (void)put(Kind::image, to, next, image(11));
    (void)put(Kind::delta, to, next + 1, delta(12));
    EXPECT_TRUE(work().empty());
    EXPECT_EQ(calls_.at(1), (Call{11, true, next}));
    EXPECT_EQ(calls_.at(2), (Call{12, false, next + 1}));
    EXPECT_FALSE(to->lagging.load());
}

TEST_F(InboxTest, AnImageWithoutRoomIsAskedForAgain) {
    const Subscribed slow = subscribe();
    const Subscribed other = subscribe();
    (void)put(Kind::image, slow, 1, image(1));
    (void)fill(slow, 2);
    (void)put(Kind::image, other, 1, image(2));
    const auto behind = work();
    EXPECT_EQ(std::set<Subscription::Impl*>(behind.begin(), behind.end()),
              (std::set<Subscription::Impl*>{slow.get(), other.get()}));
    EXPECT_EQ(other->coalesced.load(), 1U);
    (void)put(Kind::image, other, 1, image(2));
    EXPECT_TRUE(work().empty());
    EXPECT_EQ(calls_.back(), (Call{2, true, 1}));
}

TEST_F(InboxTest, ARefusalAndALostConnectionAreNeverForgotten) {
    const Subscribed slow = subscribe();
    const Subscribed refused = subscribe();
    (void)put(Kind::image, slow, 1, image(1));
    (void)fill(slow, 2);
    (void)put(Kind::subscribe_refused, refused, 0);
    (void)inbox_.put({});
    (void)inbox_.put({});
    (void)work();
    EXPECT_EQ(refused->status, RecordStatus::refused);
    EXPECT_EQ(lost_, 1);
}

TEST_F(InboxTest, AGapIsAskedForOnceAndTheImageHealsIt) {
    const Subscribed to = subscribe();
    (void)put(Kind::image, to, 5, image(1));
    (void)put(Kind::delta, to, 7, delta(2));
    (void)put(Kind::delta, to, 8, delta(3));
    EXPECT_EQ(work(), std::vector<Subscription::Impl*>{to.get()});
    (void)put(Kind::delta, to, 9, delta(4));
    EXPECT_TRUE(work().empty());
    (void)put(Kind::image, to, 9, image(4));
    (void)put(Kind::delta, to, 10, delta(5));
    EXPECT_TRUE(work().empty());
    EXPECT_EQ(calls_, (std::vector<Call>{{1, true, 5}, {4, true, 9}, {5, false, 10}}));
    EXPECT_EQ(to->coalesced.load(), 2U);
}

TEST_F(InboxTest, WhatAnOlderTenureSaysIsIgnoredUnlessItsLineIsAnother) {
    const Subscribed to = subscribe();
    (void)put(Kind::image, to, 1, image(1), 5);
    (void)put(Kind::image, to, 9, image(2), 4);
    (void)work();
    EXPECT_EQ(calls_.size(), 1U);
    const Buffer bytes = image(3);
    (void)inbox_.put({.event = {.type = Kind::image,
                                .subscription = {},
                                .epoch = Epoch{4},
                                .sequence = Sequence{1},
                                .bytes = bytes},
                      .subscription = to.get(),
                      .connection = 2,
                      .new_line = true});
    (void)work();
    EXPECT_EQ(calls_.back(), (Call{3, true, 1}));
}

TEST_F(InboxTest, ARemovedRecordIsToldWithWhatItHeld) {
    const Subscribed to = subscribe();
    (void)put(Kind::absent, to, 0);
    (void)work();
    EXPECT_EQ(to->status, RecordStatus::absent);
    EXPECT_TRUE(calls_.empty());
    (void)put(Kind::image, to, 1, image(1));
    (void)put(Kind::removed, to, 2);
    (void)work();
    EXPECT_EQ(calls_.back(), (Call{-1, true, 2}));
    EXPECT_EQ(to->status, RecordStatus::absent);
}

TEST_F(InboxTest, TheCallbackThreadIsToldOncePerBatch) {
    const Subscribed to = subscribe();
    EXPECT_TRUE(put(Kind::image, to, 1, image(1)));
    EXPECT_FALSE(put(Kind::delta, to, 2, delta(2)));
    (void)work();
    EXPECT_TRUE(put(Kind::delta, to, 3, delta(3)));
}

TEST_F(InboxTest, AnEndedSubscriptionStaysUntilNobodyNamesIt) {
    Subscribed to = subscribe();
    const std::weak_ptr<Subscription::Impl> watched = to;
    (void)put(Kind::image, to, 1, image(1));
    EXPECT_FALSE(inbox_.retire(std::exchange(to, nullptr)));
    EXPECT_FALSE(watched.expired());
    (void)work();
    EXPECT_EQ(calls_.size(), 1U);
    EXPECT_TRUE(watched.expired());
}

TEST_F(InboxTest, BytesThatCannotBeReadAreNotAskedForForEver) {
    const Subscribed to = subscribe();
    const Buffer garbage(3, std::byte{0xff});
    (void)put(Kind::image, to, 1, garbage);
    EXPECT_TRUE(work().empty());
    (void)put(Kind::image, to, 1, image(1));
    (void)put(Kind::delta, to, 2, garbage);
    EXPECT_EQ(work().size(), 1U);
    EXPECT_EQ(calls_, (std::vector<Call>{{1, true, 1}}));
}

}  // namespace
}  // namespace understudy::library
