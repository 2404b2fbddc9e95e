#include "record/publisher.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "record/apply.h"
#include "record/draft.h"
#include "record/messages.h"
#include "record/sample_test.h"
#include "wire/channel.h"

namespace understudy::record {
namespace {

using wire::MessageType;

const LinkId link{1};
const LinkId other{2};

// Records the output, one line per message.
class Transcript final : public Outlet {
public:
    Flow send(LinkId to, MessageType type, std::span<const Bytes> parts) override {
        EXPECT_FALSE(full.contains(to) && type != MessageType::subscribe_refused)
            << "a full link is left alone";
        Buffer body;
        for (const Bytes part : parts) body.insert(body.end(), part.begin(), part.end());
        lines.push_back(std::to_string(to.value) + ": " + line(type, body));
        bodies.push_back(std::move(body));
        if (full_after != 0 && --full_after == 0) full.insert(to);
        return full.contains(to) ? Flow::full : Flow::open;
    }
    void subscriptions_changed(std::string_view record, std::size_t previous,
                               std::size_t current) override {
        counts.push_back(std::string(record) + " " + std::to_string(previous) + ">" +
                         std::to_string(current));
    }

    std::vector<std::string> take() { return std::exchange(lines, {}); }

    std::set<LinkId> full;
    int full_after = 0;  // After the message with this number its link is full.
    std::vector<std::string> lines;
    std::vector<std::string> counts;
    std::vector<Buffer> bodies;

private:
    static std::string stamp(Epoch epoch, Sequence sequence) {
        return " " + std::to_string(epoch.value) + "." + std::to_string(sequence.value);
    }
    static std::string text(const RecordImage& image) {
        std::string text;
        for (const auto& [name, value] : image.fields) text += " " + name + "=" + value.to_text();
        return text;
    }
    static std::string line(MessageType type, Bytes body) {
        const auto event = decode_event(type, body);
        const std::string number = event ? " #" + std::to_string(event->subscription.value) : "";
        switch (type) {
            case MessageType::image:
                return "image" + number + stamp(event->epoch, event->sequence) +
                       text(to_image(event->bytes).value_or_throw());
            case MessageType::delta: {
                DeltaView view;
                EXPECT_TRUE(decode_delta(event->bytes, view));
                RecordImage puts;
                apply(puts, view);
                return "delta" + number + stamp(event->epoch, event->sequence) + text(puts);
            }
            case MessageType::absent:
                return "absent" + number + " " + std::to_string(event->epoch.value);
            case MessageType::removed:
                return "removed" + number + stamp(event->epoch, event->sequence);
            case MessageType::subscribe_refused:
                return "refused" + number + " " + std::string(name(reason(*event).code));
            case MessageType::notices: {
                const auto names = *decode_names(body);
                std::string text = "notices";
                if (names.restarts) text += " [";
                for (const auto each : names.added) text += " +" + std::string(each);
                for (const auto each : names.removed) text += " -" + std::string(each);
                if (names.completes) text += " ]";
                return text;
            }
            default: return "?";
        }
    }
};

using Lines = std::vector<std::string>;

class PublisherTest : public testing::Test {
protected:
    RecordId create(std::string_view name) { return publisher.create(name).value_or_throw(); }
    void put(RecordId record, std::int64_t value) {
        RecordImage after = *publisher.image(record);
        after.fields["x"] = value;
        Buffer delta;
        encode_delta(change_between(*publisher.image(record), after), delta);
        ASSERT_TRUE(publisher.commit(record, delta));
    }
    void activate(std::uint64_t epoch) {
        publisher.stand_by();
        publisher.activate(Epoch{epoch});
    }

    Transcript out;
    Publisher publisher{out};
};

TEST_F(PublisherTest, BadRequestsOfTheMemberAreRefused) {
    EXPECT_EQ(publisher.create("a/b").error().code, Errc::bad_config);
    EXPECT_EQ(publisher.create("a", as_bytes("nonsense")).error().code, Errc::corrupt);
    EXPECT_EQ(publisher.find("a"), std::nullopt);
    const RecordId record = create("a");
    EXPECT_EQ(publisher.create("a").error().code, Errc::already_exists);
    EXPECT_EQ(publisher.commit(record, as_bytes("nonsense")).error().code, Errc::corrupt);
    EXPECT_TRUE(publisher.image(record)->empty());
    ASSERT_TRUE(publisher.remove(record));
    EXPECT_EQ(publisher.commit(record, {}).error().code, Errc::not_found);
    EXPECT_EQ(publisher.remove(record).error().code, Errc::not_found);
    EXPECT_EQ(publisher.image(record), nullptr);
    EXPECT_FALSE(create("a") == record);
}

TEST_F(PublisherTest, RecordsBeyondTheirSizeAreRefusedWhole) {
    const RecordId record = create("a");
    Draft draft;
    ASSERT_TRUE(draft.put("x", std::string(700'000, 'x')));
    ASSERT_TRUE(publisher.commit(record, *draft.commit()));
    Draft another;
    ASSERT_TRUE(another.put("y", std::string(700'000, 'y')));
    EXPECT_EQ(publisher.commit(record, *another.commit()).error().code, Errc::limit_exceeded);
    EXPECT_EQ(*publisher.image(record), draft.image());
}

TEST_F(PublisherTest, BadSubscriptionsAreRefusedWithTheReason) {
    activate(1);
    publisher.link_added(link);
    publisher.subscribe(link, {1}, "a/b");
    publisher.subscribe(link, {2}, "a");
    publisher.subscribe(link, {2}, "b");
    publisher.refuse(link, {3}, {.code = Errc::denied});
    EXPECT_EQ(out.take(), (Lines{"1: refused #1 bad_config", "1: absent #2 1",
                                 "1: refused #2 already_exists", "1: refused #3 denied"}));
    EXPECT_EQ(publisher.subscriptions(), 1U);
}

TEST_F(PublisherTest, SubscriptionsOfALinkAreBounded) {
    publisher.link_added(link);
    for (std::uint64_t i = 0; i < subscriptions_max; ++i) publisher.subscribe(link, {i}, "a");
    EXPECT_TRUE(out.take().empty());
    publisher.subscribe(link, {subscriptions_max}, "a");
    EXPECT_EQ(out.take(), (Lines{"1: refused #100000 limit_exceeded"}));
    EXPECT_EQ(publisher.subscriptions("a"), subscriptions_max);
    publisher.link_gone(link);
    EXPECT_EQ(publisher.subscriptions(), 0U);
}

TEST_F(PublisherTest, EventsOfUnknownLinksAndSubscriptionsAreIgnored) {
    activate(1);
    publisher.subscribe(link, {1}, "a");
    publisher.unsubscribe(link, {1});
    publisher.resync(link, {1});
    publisher.drained(link);
    publisher.want_notices(link);
    publisher.refuse(link, {1}, {.code = Errc::denied});
    publisher.link_gone(link);
    publisher.link_added(link);
    publisher.unsubscribe(link, {1});
    publisher.resync(link, {1});
    EXPECT_TRUE(out.take().empty());
}

TEST_F(PublisherTest, ASubscriberGetsTheImageThenEveryChangeInOrder) {
    activate(3);
    const RecordId record = create("a");
    put(record, 1);
    publisher.link_added(link);
    publisher.subscribe(link, {7}, "a");
    put(record, 2);
    put(record, 3);
    EXPECT_EQ(out.take(),
              (Lines{"1: image #7 3.2 x=1", "1: delta #7 3.3 x=2", "1: delta #7 3.4 x=3"}));
    publisher.unsubscribe(link, {7});
    put(record, 4);
    EXPECT_TRUE(out.take().empty());
    EXPECT_EQ(publisher.metrics().changes, 4U);
    EXPECT_EQ(publisher.metrics().deltas, 2U);
    EXPECT_EQ(publisher.metrics().images, 1U);
}

TEST_F(PublisherTest, ASubscriptionToWhatDoesNotExistYetIsAnsweredOnCreation) {
    activate(1);
    publisher.link_added(link);
    publisher.subscribe(link, {1}, "a");
    EXPECT_EQ(out.take(), (Lines{"1: absent #1 1"}));
    RecordImage image;
    image.fields["x"] = 5;
    Buffer bytes;
    encode_image(image, bytes);
    ASSERT_TRUE(publisher.create("a", bytes));
    EXPECT_EQ(out.take(), (Lines{"1: image #1 1.1 x=5"}));
}

// A record that is created again goes on counting, so a new change cannot be taken for an old one.
TEST_F(PublisherTest, ARemovedRecordIsToldAndMayComeAgain) {
    activate(1);
    const RecordId record = create("a");
    publisher.link_added(link);
    publisher.subscribe(link, {1}, "a");
    put(record, 1);
    ASSERT_TRUE(publisher.remove(record));
    put(create("a"), 2);
    EXPECT_EQ(out.take(), (Lines{"1: image #1 1.1", "1: delta #1 1.2 x=1", "1: removed #1 1.3",
                                 "1: image #1 1.4", "1: delta #1 1.5 x=2"}));
}

TEST_F(PublisherTest, AResyncIsAnsweredByAnImage) {
    activate(1);
    put(create("a"), 1);
    publisher.link_added(link);
    publisher.subscribe(link, {1}, "a");
    out.take();
    publisher.resync(link, {1});
    EXPECT_EQ(out.take(), (Lines{"1: image #1 1.2 x=1"}));
    EXPECT_EQ(publisher.metrics().resyncs, 1U);
}

TEST_F(PublisherTest, AStandbyKeepsRecordsAndSubscriptionsAndSaysNothing) {
    const RecordId record = create("a");
    publisher.link_added(link);
    publisher.subscribe(link, {1}, "a");
    publisher.subscribe(link, {2}, "none");
    publisher.want_notices(link);
    put(record, 1);
    EXPECT_TRUE(out.take().empty());
    publisher.activate({4});
    EXPECT_EQ(out.take(), (Lines{"1: image #1 4.1 x=1", "1: absent #2 4", "1: notices [ +a ]"}));

    publisher.stand_by();
    put(record, 2);
    publisher.resync(link, {1});
    create("b");
    ASSERT_TRUE(publisher.remove(record));
    EXPECT_TRUE(out.take().empty());
    publisher.activate({5});
    EXPECT_EQ(out.take(), (Lines{"1: absent #1 5", "1: absent #2 5", "1: notices [ +b ]"}));
}

TEST_F(PublisherTest, ANewEpochStartsWithAnImageForEverySubscription) {
    activate(1);
    const RecordId record = create("a");
    publisher.link_added(link);
    publisher.link_added(other);
    publisher.subscribe(link, {1}, "a");
    publisher.subscribe(other, {1}, "a");
    put(record, 1);
    out.take();
    activate(2);
    put(record, 2);
    EXPECT_EQ(out.take(), (Lines{"1: image #1 2.1 x=1", "2: image #1 2.1 x=1",
                                 "1: delta #1 2.2 x=2", "2: delta #1 2.2 x=2"}));
}

// If the same tenure continues, its numbers go on.
TEST_F(PublisherTest, TheSameEpochGoesOnCounting) {
    activate(1);
    const RecordId record = create("a");
    publisher.link_added(link);
    publisher.subscribe(link, {1}, "a");
    put(record, 1);
    publisher.stand_by();
    put(record, 2);
    publisher.activate({1});
    EXPECT_EQ(out.take(), (Lines{"1: image #1 1.1", "1: delta #1 1.2 x=1", "1: image #1 1.3 x=2"}));
}

// The main property: a slow link needs no queue and loses only intermediate states.
TEST_F(PublisherTest, AFullLinkGetsOneImageOfTheLatestStateWhenItDrains) {
    activate(1);
    const RecordId a = create("a"), b = create("b");
    publisher.link_added(link);
    publisher.link_added(other);
    publisher.subscribe(link, {1}, "a");
    publisher.subscribe(link, {2}, "b");
    publisher.subscribe(other, {1}, "a");
    out.take();

    out.full_after = 1;
    put(a, 1);
    EXPECT_EQ(out.take(), (Lines{"1: delta #1 1.2 x=1", "2: delta #1 1.2 x=1"}));
    for (int i = 2; i < 100; ++i) put(a, i);
    const Lines to_other = out.take();
    EXPECT_EQ(to_other.size(), 98U);
    for (const auto& line : to_other) EXPECT_EQ(line[0], '2');
    EXPECT_EQ(publisher.metrics().coalesced, 98U);

    out.full.clear();
    publisher.drained(link);
    // "b" has missed nothing and gets no image.
    EXPECT_EQ(out.take(), (Lines{"1: image #1 1.100 x=99"}));
    put(a, 100);
    put(b, 1);
    EXPECT_EQ(out.take(), (Lines{"1: delta #1 1.101 x=100", "2: delta #1 1.101 x=100",
                                 "1: delta #2 1.2 x=1"}));
}

TEST_F(PublisherTest, AFullLinkHearsLaterOfWhatCameAndWent) {
    activate(1);
    const RecordId a = create("a");
    publisher.link_added(link);
    publisher.subscribe(link, {1}, "a");
    publisher.subscribe(link, {2}, "b");
    out.full_after = 1;
    publisher.want_notices(link);
    out.take();

    ASSERT_TRUE(publisher.remove(a));
    put(create("b"), 1);
    create("c");
    publisher.subscribe(link, {3}, "c");
    publisher.resync(link, {2});
    EXPECT_TRUE(out.take().empty());
    out.full.clear();
    publisher.drained(link);
    EXPECT_EQ(out.take(), (Lines{"1: notices [ +b +c ]", "1: absent #1 1", "1: image #2 1.4 x=1",
                                 "1: image #3 1.3"}));
}

// A link that fills up again after each image serves all its subscriptions in turn.
TEST_F(PublisherTest, NoSubscriptionOfASlowLinkStarves) {
    activate(1);
    std::vector<RecordId> records;
    publisher.link_added(link);
    for (std::uint64_t i = 0; i < 4; ++i) {
        records.push_back(create("r" + std::to_string(i)));
        publisher.subscribe(link, {i}, "r" + std::to_string(i));
    }
    out.full_after = 1;
    publisher.resync(link, {0});
    out.take();

    std::map<std::string, int> served;
    for (int turn = 0; turn < 40; ++turn) {
        for (const RecordId record : records) put(record, turn);
        EXPECT_TRUE(out.take().empty());
        out.full.clear();
        out.full_after = 1;
        publisher.drained(link);
        const Lines lines = out.take();
        ASSERT_EQ(lines.size(), 1U);
        ++served[lines[0].substr(0, 11)];
    }
    EXPECT_EQ(served.size(), 4U);
    for (const auto& [line, times] : served) EXPECT_EQ(times, 10) << line;
}

TEST_F(PublisherTest, UnsubscribingWhileBehindLeavesNothingBehind) {
    activate(1);
    const RecordId record = create("a");
    publisher.link_added(link);
    publisher.subscribe(link, {1}, "a");
    out.full_after = 1;
    put(record, 1);
    put(record, 2);
    publisher.unsubscribe(link, {1});
    out.take();
    out.full.clear();
    publisher.drained(link);
    EXPECT_TRUE(out.take().empty());
}

TEST_F(PublisherTest, NoticesBeginWithAListingInBoundedPieces) {
    activate(1);
    for (int i = 0; i < 1000; ++i) create(std::to_string(i) + std::string(200, 'x'));
    publisher.link_added(link);
    publisher.want_notices(link);
    std::size_t names = 0;
    ASSERT_EQ(out.bodies.size(), 4U);
    for (const Buffer& body : out.bodies) {
        EXPECT_LT(body.size(), 70 * KiB);
        const auto notices = decode_names(body);
        EXPECT_EQ(notices->restarts, &body == &out.bodies.front());
        EXPECT_EQ(notices->completes, &body == &out.bodies.back());
        names += notices->added.size();
    }
    EXPECT_EQ(names, 1000U);

    out.take();
    ASSERT_TRUE(publisher.remove(create("new")));
    EXPECT_EQ(out.take(), (Lines{"1: notices +new", "1: notices -new"}));
}

TEST_F(PublisherTest, SubscriptionsAreCountedWhetherTheRecordExistsOrNot) {
    publisher.link_added(link);
    publisher.link_added(other);
    publisher.subscribe(link, {1}, "a");
    publisher.subscribe(other, {1}, "a");
    publisher.subscribe(link, {2}, "a");
    publisher.unsubscribe(link, {1});
    publisher.link_gone(link);
    EXPECT_EQ(out.counts, (Lines{"a 0>1", "a 1>2", "a 2>3", "a 3>2", "a 2>1"}));
    EXPECT_EQ(publisher.subscriptions("a"), 1U);
    publisher.link_gone(other);
    EXPECT_EQ(publisher.subscriptions("a"), 0U);
}

// One megabyte of names is removed and one of text is added: the biggest possible change is still
// one message.
TEST_F(PublisherTest, TheBiggestChangeIsOneMessage) {
    activate(1);
    const RecordId record = create("a");
    publisher.link_added(link);
    publisher.subscribe(link, {1}, "a");
    Draft draft;
    for (int i = 1000; draft.put(std::to_string(i) + std::string(251, 'n'), ""); ++i) {
    }
    ASSERT_TRUE(publisher.commit(record, *draft.commit()));
    draft.clear();
    ASSERT_TRUE(draft.put("x", std::string(record_size_max - image_size_min - 2 - 4, 'x')));
    ASSERT_EQ(draft.size_bytes(), record_size_max);
    const Buffer delta = *draft.commit();
    EXPECT_GT(delta.size(), 2 * record_size_max - 16 * KiB);
    ASSERT_TRUE(publisher.commit(record, delta));

    EXPECT_EQ(out.bodies.size(), 3U);
    EXPECT_LT(out.bodies.back().size(), wire::Channel::message_size_max);
    EXPECT_EQ(*publisher.image(record), draft.image());
}

}  // namespace
}  // namespace understudy::record
