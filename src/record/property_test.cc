// Publishers and mirrors with every fault between them, compared with a simple model.
//
// Two members hold the records of the same service, one of them active. Clients with a mirror per
// record are linked to a member. Messages travel in order on each link, late. Links fill up, drain
// and break. The active member changes, sometimes without the knowledge of the former one. Deltas
// are lost on purpose, which a link never does, so that gaps and resyncs are tested too. The model
// is a history of the contents of each record in each epoch. A mirror that shows anything else is
// wrong at any time. At the end, when nothing is under way, every mirror must show the present
// content.
#include <algorithm>
#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "record/draft.h"
#include "record/messages.h"
#include "record/mirror.h"
#include "record/publisher.h"
#include "record/sample_test.h"

namespace understudy::record {
namespace {

using wire::MessageType;

constexpr std::size_t names_count = 4;
constexpr std::size_t clients_count = 5;

std::string record_name(std::size_t number) { return "record" + std::to_string(number); }

struct Message {
    MessageType type;
    Buffer body;
};

class Member final : public Outlet {
public:
    Flow send(LinkId link, MessageType type, std::span<const Bytes> parts) override {
        Buffer body;
        for (const Bytes part : parts) body.insert(body.end(), part.begin(), part.end());
        auto& queue = links[link];
        queue.push_back({type, std::move(body)});
        queue_longest = std::max(queue_longest, queue.size());
        return queue.size() >= high_water ? Flow::full : Flow::open;
    }
    void subscriptions_changed(std::string_view record, std::size_t previous,
                               std::size_t current) override {
        EXPECT_EQ(counts[std::string(record)], previous);
        counts[std::string(record)] = current;
    }

    static constexpr std::size_t high_water = 6;

    Publisher publisher{*this};
    std::map<std::size_t, Draft> drafts;
    std::map<LinkId, std::deque<Message>> links;
    std::map<std::string, std::size_t> counts;
    std::size_t queue_longest = 0;
};

// The content of a record; nullopt: it did not exist.
using Content = std::optional<RecordImage>;

struct Client {
    std::optional<std::size_t> member;  // The link's other end.
    LinkId link;
    std::map<SubscriptionId, std::size_t> records;  // In the present link.
    Mirror mirrors[names_count];
};

class World {
public:
    explicit World(std::uint64_t seed) : random_(seed) { activate(0); }

    void step() {
        switch (random_.below(24)) {
            case 0: take_over(); break;
            case 1: connect(); break;
            case 2: disconnect(); break;
            case 3: remove_record(); break;
            case 4: unsubscribe(); break;
            case 5:
            case 6: subscribe(); break;
            case 7:
            case 8:
            case 9:
            case 10:
            case 11:
            case 12:
            case 13: change_record(); break;
            default: deliver(); break;
        }
    }

    // Links all clients to the active member and delivers everything.
    void calm_down() {
        loses_ = false;
        for (auto& client : clients_) {
            unlink(client);
            link(client, active_);
            for (std::size_t i = 0; i < names_count; ++i) subscribe(client, i);
        }
        for (auto& client : clients_) {
            while (deliver(client)) {
            }
        }
        const Publisher& publisher = members_[active_].publisher;
        for (const auto& client : clients_) {
            for (std::size_t i = 0; i < names_count; ++i) {
                const auto record = publisher.find(record_name(i));
                ASSERT_EQ(client.mirrors[i].exists(), record.has_value()) << record_name(i);
                ASSERT_TRUE(client.mirrors[i].in_sync());
                if (record) {
                    ASSERT_EQ(client.mirrors[i].image(), *publisher.image(*record));
                }
            }
        }
        EXPECT_EQ(publisher.subscriptions(), clients_count * names_count);
        for (const auto& member : members_) EXPECT_LE(member.queue_longest, Member::high_water);
    }

    [[nodiscard]] std::uint64_t gaps() const { return gaps_; }
    [[nodiscard]] std::uint64_t stale() const { return stale_; }
    [[nodiscard]] std::uint64_t deltas() const { return deltas_; }
    [[nodiscard]] std::uint64_t coalesced() const {
        return members_[0].publisher.metrics().coalesced +
               members_[1].publisher.metrics().coalesced;
    }

private:
    // --- Actions of members

    void activate(std::size_t member) {
        active_ = member;
        epoch_ = epoch_.next();
        members_[member].publisher.activate(epoch_);
        for (std::size_t i = 0; i < names_count; ++i) note(member, i);
    }

    void take_over() {
        // The former active member is told only in two of three cases; otherwise it goes on.
        Publisher& former = members_[active_].publisher;
        if (random_.chance(2, 3)) former.stand_by();
        Publisher& next = members_[1 - active_].publisher;
        next.stand_by();
        activate(1 - active_);
    }

    void change_record() {
        const std::size_t member = random_.below(2), number = random_.below(names_count);
        Member& at = members_[member];
        auto record = at.publisher.find(record_name(number));
        if (!record) {
            record = at.publisher.create(record_name(number)).value_or_throw();
            at.drafts[number] = Draft();
            note(member, number);
        }
        Draft& draft = at.drafts[number];
        for (std::uint64_t i = 1 + random_.below(3); i > 0; --i) {
            const std::string field = sample_name(random_, 'f'), submap = sample_name(random_, 'm');
            switch (random_.below(4)) {
                case 0: draft.remove(field); break;
                case 1: ASSERT_TRUE(draft.put(submap, field, sample_value(random_))); break;
                default: ASSERT_TRUE(draft.put(field, sample_value(random_)));
            }
        }
        const auto delta = draft.commit();
        if (!delta) return;
        ASSERT_TRUE(at.publisher.commit(*record, *delta));
        ASSERT_EQ(*at.publisher.image(*record), draft.image());
        note(member, number);
    }

    void remove_record() {
        const std::size_t member = random_.below(2), number = random_.below(names_count);
        const auto record = members_[member].publisher.find(record_name(number));
        if (!record) return;
        ASSERT_TRUE(members_[member].publisher.remove(*record));
        note(member, number);
    }

    // Notes that the present content of a record may be shown in this epoch.
    void note(std::size_t member, std::size_t number) {
        const Publisher& publisher = members_[member].publisher;
        const auto record = publisher.find(record_name(number));
        Content content;
        if (record) content = *publisher.image(*record);
        contents_[number][publisher.epoch()].push_back(std::move(content));
    }

    // --- Actions of clients

    void connect() {
        Client& client = clients_[random_.below(clients_count)];
        unlink(client);
        link(client, random_.chance(3, 4) ? active_ : 1 - active_);
        for (std::size_t i = 0; i < names_count; ++i) {
            if (random_.chance(3, 4)) subscribe(client, i);
        }
    }

    void disconnect() { unlink(clients_[random_.below(clients_count)]); }

    void link(Client& client, std::size_t member) {
        link_last_ = link_last_.next();
        client.member = member;
        client.link = link_last_;
        members_[member].publisher.link_added(link_last_);
    }

    void unlink(Client& client) {
        if (!client.member) return;
        Member& member = members_[*client.member];
        member.publisher.link_gone(client.link);
        member.links.erase(client.link);
        client.member.reset();
        client.records.clear();
        for (Mirror& mirror : client.mirrors) mirror.disconnected();
    }

    void subscribe() {
        Client& client = clients_[random_.below(clients_count)];
        if (client.member) subscribe(client, random_.below(names_count));
    }

    void subscribe(Client& client, std::size_t number) {
        for (const auto& [id, record] : client.records) {
            if (record == number) return;
        }
        subscription_last_ = subscription_last_.next();
        client.records.emplace(subscription_last_, number);
        members_[*client.member].publisher.subscribe(client.link, subscription_last_,
                                                     record_name(number));
    }

    void unsubscribe() {
        Client& client = clients_[random_.below(clients_count)];
        if (!client.member || client.records.empty()) return;
        auto found = client.records.begin();
        std::advance(found, static_cast<std::ptrdiff_t>(random_.below(client.records.size())));
        members_[*client.member].publisher.unsubscribe(client.link, found->first);
        client.mirrors[found->second].disconnected();
        client.records.erase(found);
    }

    void deliver() {
        Client& client = clients_[random_.below(clients_count)];
        for (std::uint64_t i = random_.below(8); i > 0 && deliver(client); --i) {
        }
    }

    // Delivers one message. If the queue is then empty, the link has drained. False: there was
    // none.
    bool deliver(Client& client) {
        if (!client.member) return false;
        Member& member = members_[*client.member];
        auto& queue = member.links[client.link];
        if (queue.empty()) return false;
        const Message message = std::move(queue.front());
        queue.pop_front();
        if (!(loses_ && message.type == MessageType::delta && random_.chance(1, 6))) {
            take(client, message);
        }
        if (queue.empty()) member.publisher.drained(client.link);
        return true;
    }

    void take(Client& client, const Message& message) {
        const auto event = decode_event(message.type, message.body).value_or_throw();
        if (event.type == MessageType::delta) ++deltas_;
        apply(client, event.subscription, [&](Mirror& mirror, RecordChange& change) {
            return mirror.apply(event, &change).value_or_throw();
        });
    }

    template <class Apply>
    void apply(Client& client, SubscriptionId subscription, const Apply& apply_to) {
        const auto found = client.records.find(subscription);
        if (found == client.records.end()) return;  // It was unsubscribed meanwhile.
        Mirror& mirror = client.mirrors[found->second];
        const RecordImage before = mirror.image();
        const Epoch epoch_before = mirror.epoch();
        RecordChange change;
        switch (apply_to(mirror, change)) {
            case Applied::gap:
                ++gaps_;
                EXPECT_EQ(mirror.image(), before);
                members_[*client.member].publisher.resync(client.link, subscription);
                break;
            case Applied::stale_epoch:
                ++stale_;
                EXPECT_EQ(mirror.image(), before);
                break;
            case Applied::unchanged: EXPECT_EQ(mirror.image(), before); break;
            case Applied::changed:
                EXPECT_LE(epoch_before, mirror.epoch());
                expect_leads(before, change, mirror.image());
                if (change.is_image && mirror.exists()) {
                    EXPECT_EQ(change.fields.puts, mirror.image().fields);
                }
                EXPECT_EQ(change.epoch, mirror.epoch());
                EXPECT_EQ(change.sequence, mirror.sequence().value);
        }
        expect_true(mirror, found->second);
    }

    // The content of the mirror was that of the record in that epoch, and all mirrors with the same
    // stamp show the same.
    void expect_true(const Mirror& mirror, std::size_t number) {
        if (!mirror.in_sync()) return;
        Content shown;
        if (mirror.exists()) shown = mirror.image();
        const auto& contents = contents_[number][mirror.epoch()];
        EXPECT_NE(std::find(contents.begin(), contents.end(), shown), contents.end())
            << record_name(number) << " never looked like this in epoch " << mirror.epoch().value;
        auto [at, first] = by_stamp_[number].emplace(
            std::pair(mirror.epoch(), mirror.sequence()), shown);
        if (!first && mirror.sequence().value != 0) {  // 0: absent.
            EXPECT_EQ(at->second, shown) << "two contents under one stamp";
        }
    }

    Random random_;
    Member members_[2];
    Client clients_[clients_count];
    std::size_t active_ = 0;
    Epoch epoch_;
    LinkId link_last_;
    SubscriptionId subscription_last_;
    bool loses_ = true;
    std::map<Epoch, std::vector<Content>> contents_[names_count];
    std::map<std::pair<Epoch, Sequence>, Content> by_stamp_[names_count];
    std::uint64_t gaps_ = 0, stale_ = 0, deltas_ = 0;
};

TEST(PublisherAndMirrors, AgreeWhateverHappensBetweenThem) {
    std::uint64_t gaps = 0, stale = 0, deltas = 0, coalesced = 0;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        World world(seed);
        for (int turn = 0; turn < 600; ++turn) world.step();
        world.calm_down();
        ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
        gaps += world.gaps();
        stale += world.stale();
        deltas += world.deltas();
        coalesced += world.coalesced();
    }
    // The runs reached the interesting cases.
    EXPECT_GT(gaps, 100U);
    EXPECT_GT(stale, 100U);
    EXPECT_GT(deltas, 1000U);
    EXPECT_GT(coalesced, 1000U);
}

}  // namespace
}  // namespace understudy::record
