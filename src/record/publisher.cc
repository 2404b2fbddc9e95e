#include "record/publisher.h"

#include <set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/plant.h"
#include "record/apply.h"
#include "record/messages.h"
#include "wire/channel.h"

namespace understudy::record {

namespace {

constexpr std::size_t listing_size = 64 * KiB;  // About, of one message of a list of names.
constexpr std::size_t stamp_size_max = 3 * 10;  // Three varints.

static_assert(record_size_max + stamp_size_max <= wire::Channel::message_size_max &&
                  delta_size_max + stamp_size_max <= wire::Channel::message_size_max,
              "images and deltas always fit a message");

// A number as a varint. It is kept in place: the head of a message needs no allocation.
class Number {
public:
    explicit Number(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) raw_[size_++] = static_cast<std::byte>(value | 0x80);
        raw_[size_++] = static_cast<std::byte>(value);
    }
    [[nodiscard]] Bytes bytes() const { return {raw_, size_}; }

private:
    std::byte raw_[10];
    std::size_t size_ = 0;
};

}  // namespace

struct Publisher::Subscription {
    SubscriptionId id;
    Topic* topic;
    std::size_t place;    // In topic->subscribers.
    bool behind = false;  // The subscriber lacks something. It is in link.behind then.
};

// A connection to a subscriber. Invariant: while it is not full, neither a subscription nor the
// list of names is marked as behind.
struct Publisher::Link {
    LinkId id;
    bool full = false;
    bool wants_names = false;
    bool names_behind = false;
    std::map<SubscriptionId, Subscription> subscriptions = {};
    std::set<SubscriptionId> behind = {};
    SubscriptionId served_last = {};  // Of those in `behind`. The next one after it is served next.

    void mark_behind(Subscription& subscription) {
        if (subscription.behind) return;
        subscription.behind = true;
        behind.insert(subscription.id);
    }
};

// A name with a record, with subscriptions, or with both.
struct Publisher::Topic {
    struct Subscriber {
        Link* link;
        Subscription* subscription;
        SubscriptionId id;
    };

    std::string name;
    RecordId record = {};  // 0: it does not exist.
    RecordImage image = {};
    std::size_t size_bytes = image_size_min;
    Sequence sequence = {};
    std::vector<Subscriber> subscribers = {};

    [[nodiscard]] bool exists() const { return record.value != 0; }
};

Publisher::Publisher(Outlet& outlet) : outlet_(outlet) {}
Publisher::~Publisher() = default;

// --- Calls of the member ---------------------------------------------------------------------

Result<RecordId> Publisher::create(std::string_view name, Bytes image) {
    US_CHECK(check_record_name(name));
    if (find(name)) {
        return Error{.code = Errc::already_exists,
                     .detail = "record '" + std::string(name) + "'"};
    }
    if (records_.size() >= records_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = fmt::format("more than {} records", records_max)};
    }
    if (!image.empty()) {
        US_CHECK(decode_image(image, view_));
    }

    Topic& made = topic(name);
    record_last_ = record_last_.next();
    made.record = record_last_;
    made.sequence = sequence_floor_.next();
    if (!image.empty()) made.size_bytes = replace(made.image, view_);
    records_.emplace(made.record.value, &made);
    image_of_ = nullptr;

    for (const auto& subscriber : made.subscribers) {
        answer(*subscriber.link, *subscriber.subscription);
    }
    notify(made.name, true);
    return made.record;
}

Result<void> Publisher::commit(RecordId record, Bytes delta) {
    Topic* changed = find_record(record);
    if (changed == nullptr) return Error{.code = Errc::not_found, .detail = "record"};
    US_CHECK(decode_delta(delta, view_));
    US_CHECK(check_growth(changed->image, changed->size_bytes, view_));

    const std::ptrdiff_t grown = apply(changed->image, view_);
    changed->size_bytes =
        static_cast<std::size_t>(static_cast<std::ptrdiff_t>(changed->size_bytes) + grown);
    changed->sequence = changed->sequence.next();
    if (image_of_ == changed) image_of_ = nullptr;
    if (epoch_.value != 0) publish(*changed, delta);
    return {};
}

// The hot path: it runs for each change and each subscriber.
void Publisher::publish(Topic& topic, Bytes delta) {
    ++metrics_.changes;
    stamp(topic);
    for (const auto& subscriber : topic.subscribers) {
        if (subscriber.link->full) {
            subscriber.link->mark_behind(*subscriber.subscription);
            ++metrics_.coalesced;
        } else {
            send(*subscriber.link, wire::MessageType::delta,
                 {Number(subscriber.id.value).bytes(), stamp_, delta});
            ++metrics_.deltas;
        }
    }
}

Result<void> Publisher::remove(RecordId record) {
    Topic* removed = find_record(record);
    if (removed == nullptr) return Error{.code = Errc::not_found, .detail = "record"};

    removed->sequence = removed->sequence.next();
    sequence_floor_ = std::max(sequence_floor_, removed->sequence);
    records_.erase(record.value);
    removed->record = RecordId{};
    removed->image.clear();
    removed->size_bytes = image_size_min;
    image_of_ = nullptr;

    if (epoch_.value != 0) {
        stamp(*removed);
        for (const auto& subscriber : removed->subscribers) {
            if (subscriber.link->full) {
                subscriber.link->mark_behind(*subscriber.subscription);
            } else {
                send(*subscriber.link, wire::MessageType::removed,
                     {Number(subscriber.id.value).bytes(), stamp_});
            }
        }
    }
    notify(removed->name, false);
    drop_if_unused(*removed);
    return {};
}

void Publisher::activate(Epoch epoch) {
    US_ASSERT(epoch_.value == 0);
    US_ASSERT(epoch.value != 0);
    US_ASSERT(epoch >= epoch_last_);
    if (epoch > epoch_last_) {
        sequence_floor_ = Sequence{};
        for (auto& [name, topic] : topics_) topic->sequence = Sequence{topic->exists() ? 1U : 0U};
    }
    epoch_ = epoch;
    epoch_last_ = epoch;

    // One record after another, so that each image is encoded once for all its subscribers.
    for (auto& [name, topic] : topics_) {
        for (const auto& subscriber : topic->subscribers) {
            answer(*subscriber.link, *subscriber.subscription);
        }
    }
    for (auto& [id, link] : links_) {
        if (link->wants_names) send_listing(*link);
    }
}

void Publisher::stand_by() { epoch_ = Epoch{}; }

// --- Events of subscribers -------------------------------------------------------------------

void Publisher::link_added(LinkId link) {
    const bool added = links_.emplace(link, std::make_unique<Link>(Link{.id = link})).second;
    US_ASSERT(added);
}

void Publisher::link_gone(LinkId id) {
    const auto found = links_.find(id);
    if (found == links_.end()) return;
    Link& link = *found->second;
    while (!link.subscriptions.empty()) unlink(link, link.subscriptions.begin()->second);
    links_.erase(found);
}

void Publisher::drained(LinkId id) {
    Link* link = find_link(id);
    if (link == nullptr) return;
    link->full = false;
    if (epoch_.value == 0) {
        // Subscriptions stay marked as behind until there is something to send. The link is not
        // full then, and activate() answers all of them.
        return;
    }
    if (link->names_behind) send_listing(*link);
    send_behind(*link);
}

// It begins after the subscription that was served last, so that all subscriptions of a link that
// is full again and again are served equally.
void Publisher::send_behind(Link& link) {
    if (planted(Plant::delta_over_gap)) {
        for (const SubscriptionId id : link.behind) link.subscriptions.at(id).behind = false;
        link.behind.clear();
    }
    while (!link.full && !link.behind.empty()) {
        auto next = link.behind.upper_bound(link.served_last);
        if (next == link.behind.end()) next = link.behind.begin();
        link.served_last = *next;
        answer(link, link.subscriptions.at(*next));
    }
}

void Publisher::subscribe(LinkId id, SubscriptionId subscription, std::string_view record) {
    Link* link = find_link(id);
    if (link == nullptr) return;
    if (auto checked = check_record_name(record); !checked) {
        return send_refused(*link, subscription, std::move(checked).error());
    }
    if (link->subscriptions.contains(subscription)) {
        return send_refused(*link, subscription,
                            {.code = Errc::already_exists, .detail = "subscription number"});
    }
    if (link->subscriptions.size() >= subscriptions_max) {
        return send_refused(
            *link, subscription,
            {.code = Errc::limit_exceeded,
             .detail = fmt::format("more than {} subscriptions on a connection",
                                   subscriptions_max)});
    }

    Topic& to = topic(record);
    Subscription& made =
        link->subscriptions.emplace(subscription, Subscription{subscription, &to,
                                                               to.subscribers.size()})
            .first->second;
    to.subscribers.push_back({link, &made, subscription});
    ++subscriptions_;
    outlet_.subscriptions_changed(to.name, to.subscribers.size() - 1, to.subscribers.size());
    answer(*link, made);
}

void Publisher::unsubscribe(LinkId id, SubscriptionId subscription) {
    Link* link = find_link(id);
    if (link == nullptr) return;
    const auto found = link->subscriptions.find(subscription);
    if (found != link->subscriptions.end()) unlink(*link, found->second);
}

void Publisher::resync(LinkId id, SubscriptionId subscription) {
    Link* link = find_link(id);
    if (link == nullptr) return;
    const auto found = link->subscriptions.find(subscription);
    if (found == link->subscriptions.end()) return;
    ++metrics_.resyncs;
    answer(*link, found->second);
}

void Publisher::refuse(LinkId id, SubscriptionId subscription, const Error& reason) {
    Link* link = find_link(id);
    if (link != nullptr) send_refused(*link, subscription, reason);
}

void Publisher::want_notices(LinkId id) {
    Link* link = find_link(id);
    if (link == nullptr) return;
    link->wants_names = true;
    send_listing(*link);
}

// --- Sending ---------------------------------------------------------------------------------

void Publisher::send(Link& link, wire::MessageType type, std::initializer_list<Bytes> parts) {
    if (outlet_.send(link.id, type, {parts.begin(), parts.size()}) == Flow::full) link.full = true;
}

void Publisher::stamp(const Topic& topic) {
    stamp_.clear();
    ByteWriter writer(stamp_);
    writer.varint(epoch_.value);
    writer.varint(topic.sequence.value);
}

// Sends a subscriber the present state of its record, or later if the link is full.
void Publisher::answer(Link& link, Subscription& subscription) {
    if (link.full) return link.mark_behind(subscription);
    if (epoch_.value == 0) return;  // activate() sends it.
    if (subscription.behind) {
        subscription.behind = false;
        link.behind.erase(subscription.id);
    }
    if (subscription.topic->exists()) {
        send_image(link, subscription);
    } else {
        send_absent(link, subscription);
    }
}

void Publisher::send_image(Link& link, const Subscription& subscription) {
    const Topic& topic = *subscription.topic;
    if (image_of_ != &topic) {
        encode_image(topic.image, image_);
        US_ASSERT(image_.size() <= topic.size_bytes);
        image_of_ = &topic;
    }
    stamp(topic);
    send(link, wire::MessageType::image,
         {Number(subscription.id.value).bytes(), stamp_, image_});
    ++metrics_.images;
}

void Publisher::send_absent(Link& link, const Subscription& subscription) {
    constexpr auto type = wire::MessageType::absent;
    encode(Event{.type = type, .subscription = subscription.id, .epoch = epoch_}, body_);
    send(link, type, {body_});
}

void Publisher::send_refused(Link& link, SubscriptionId subscription, const Error& reason) {
    constexpr auto type = wire::MessageType::subscribe_refused;
    const Buffer why = encode_reason(reason);
    encode(Event{.type = type, .subscription = subscription, .bytes = why}, body_);
    send(link, type, {body_});
}

// All names, in messages of bounded size.
void Publisher::send_listing(Link& link) {
    link.names_behind = link.full || epoch_.value == 0;
    if (link.names_behind) return;

    Names listing{.restarts = true};
    std::size_t size = 0;
    const auto flush = [&] {
        encode(listing, body_);
        send(link, wire::MessageType::notices, {body_});
        listing = Names{};
        size = 0;
    };
    for (const auto& [name, topic] : topics_) {
        if (!topic->exists()) continue;
        if (size >= listing_size) flush();
        listing.added.push_back(name);
        size += name.size() + 2;
    }
    listing.completes = true;
    flush();
}

void Publisher::notify(std::string_view name, bool added) {
    if (epoch_.value == 0) return;
    Names notice;
    (added ? notice.added : notice.removed).push_back(name);
    bool encoded = false;
    for (auto& [id, link] : links_) {
        if (!link->wants_names) continue;
        if (link->full) {
            link->names_behind = true;
            continue;
        }
        if (!encoded) encode(notice, body_);
        encoded = true;
        send(*link, wire::MessageType::notices, {body_});
    }
}

// --- Bookkeeping -----------------------------------------------------------------------------

Publisher::Topic& Publisher::topic(std::string_view name) {
    const auto at = topics_.lower_bound(name);
    if (at != topics_.end() && at->first == name) return *at->second;
    auto made = std::make_unique<Topic>(Topic{.name = std::string(name)});
    return *topics_.emplace_hint(at, made->name, std::move(made))->second;
}

void Publisher::drop_if_unused(Topic& topic) {
    if (topic.exists() || !topic.subscribers.empty()) return;
    if (image_of_ == &topic) image_of_ = nullptr;
    topics_.erase(topics_.find(topic.name));
}

void Publisher::unlink(Link& link, Subscription& subscription) {
    Topic& topic = *subscription.topic;
    const std::size_t place = subscription.place;
    US_ASSERT(place < topic.subscribers.size());
    US_ASSERT(topic.subscribers[place].subscription == &subscription);
    topic.subscribers[place] = topic.subscribers.back();
    topic.subscribers[place].subscription->place = place;
    topic.subscribers.pop_back();
    --subscriptions_;

    link.behind.erase(subscription.id);
    link.subscriptions.erase(subscription.id);
    const std::size_t left = topic.subscribers.size();
    outlet_.subscriptions_changed(topic.name, left + 1, left);
    drop_if_unused(topic);
}

Publisher::Topic* Publisher::find_record(RecordId record) const {
    const auto found = records_.find(record.value);
    return found == records_.end() ? nullptr : found->second;
}

Publisher::Link* Publisher::find_link(LinkId link) const {
    const auto found = links_.find(link);
    return found == links_.end() ? nullptr : found->second.get();
}

std::optional<RecordId> Publisher::find(std::string_view name) const {
    const auto found = topics_.find(name);
    if (found == topics_.end() || !found->second->exists()) return std::nullopt;
    return found->second->record;
}

const RecordImage* Publisher::image(RecordId record) const {
    const Topic* found = find_record(record);
    return found == nullptr ? nullptr : &found->image;
}

std::size_t Publisher::records() const { return records_.size(); }

std::vector<std::string_view> Publisher::names() const {
    std::vector<std::string_view> names;
    for (const auto& [name, topic] : topics_) {
        if (topic->exists()) names.push_back(name);
    }
    return names;
}

std::size_t Publisher::subscriptions(std::string_view record) const {
    const auto found = topics_.find(record);
    return found == topics_.end() ? 0 : found->second->subscribers.size();
}

}  // namespace understudy::record
