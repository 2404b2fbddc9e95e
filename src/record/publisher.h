#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/types.h"
#include "record/codec.h"
#include "understudy/limits.h"
#include "understudy/record.h"
#include "understudy/types.h"
#include "wire/message_type.h"

namespace understudy::record {

using RecordId = Strong<struct RecordTag>;  ///< A record of a publisher. Never used again.

/// Whether a link takes more messages.
enum class Flow : std::uint8_t {
    open,  ///< It does.
    full,  ///< It is over its high-water mark: no more messages until Publisher::drained().
};

/// Takes the output of a publisher. Must not call back into the publisher.
class Outlet {
public:
    virtual ~Outlet() = default;
    /// Sends one message. The parts of its body live as long as the call. Never refuses.
    virtual Flow send(LinkId link, wire::MessageType type, std::span<const Bytes> parts) = 0;
    /// The number of subscriptions to a record has changed, whether or not the record exists.
    virtual void subscriptions_changed(std::string_view record, std::size_t previous,
                                       std::size_t current) = 0;
};

/// All records of one member of a service, and the subscriptions to them.
///
/// Each subscription gets an image first, then every change in order, with epoch and sequence and
/// without a gap. If its link is full, it gets nothing, and later one image of the newest state. So
/// a slow subscriber needs no queue: it misses intermediate states, never the last one.
///
/// It works while the member is active. While the member is standby, records and subscriptions are
/// kept and nothing is sent. When a tenure begins, each subscription gets an image of its epoch.
///
/// Bounds: records_max, subscriptions_max per link, record_size_max per record; more is refused. A
///         full link gets only refusals of its requests. A list of names that has begun is
///         finished.
/// Thread: loop only.
class Publisher {
public:
    struct Metrics {
        std::uint64_t changes = 0;    ///< Committed while active.
        std::uint64_t deltas = 0;     ///< Sent, one per subscription.
        std::uint64_t images = 0;     ///< Sent, one per subscription.
        std::uint64_t coalesced = 0;  ///< Changes that a full link did not get one by one.
        std::uint64_t resyncs = 0;    ///< Requested by subscribers.
    };

    explicit Publisher(Outlet& outlet);
    ~Publisher();
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    // Calls of the member.

    /// Creates a record, with `image` (codec.h) or empty.
    /// Errors: already_exists, limit_exceeded, bad_config, corrupt (none).
    [[nodiscard]] Result<RecordId> create(std::string_view name, Bytes image = {});
    /// Applies one change, made by Draft::commit() from the record's present state.
    /// Errors: not_found, corrupt, limit_exceeded (none). The record is unchanged then.
    [[nodiscard]] Result<void> commit(RecordId record, Bytes delta);
    /// Errors: not_found (none).
    [[nodiscard]] Result<void> remove(RecordId record);

    /// The member becomes active: subscribers get images of this epoch.
    /// Requires: it is standby; the epoch is not 0 and not below any earlier one.
    void activate(Epoch epoch);
    /// The member is not active any more. Idempotent.
    void stand_by();

    // Events of subscribers. Those of an unknown link are ignored.

    /// Requires: the link is new.
    void link_added(LinkId link);
    void link_gone(LinkId link);
    /// The backlog of the link is empty: it takes messages again.
    void drained(LinkId link);
    /// The answer is an image, absent, or subscribe_refused (limit_exceeded, bad_config,
    /// already_exists: the number is in use on this link).
    void subscribe(LinkId link, SubscriptionId subscription, std::string_view record);
    void unsubscribe(LinkId link, SubscriptionId subscription);
    void resync(LinkId link, SubscriptionId subscription);
    /// The member's permission filter did not allow the subscription.
    void refuse(LinkId link, SubscriptionId subscription, const Error& reason);
    /// Sends a list of all records to the link, then each record that is added or removed.
    void want_notices(LinkId link);

    [[nodiscard]] std::optional<RecordId> find(std::string_view name) const;
    [[nodiscard]] const RecordImage* image(RecordId record) const;  ///< Null if not found.
    [[nodiscard]] Epoch epoch() const { return epoch_; }            ///< 0 while it is standby.
    [[nodiscard]] std::size_t records() const;
    [[nodiscard]] std::vector<std::string_view> names() const;
    [[nodiscard]] std::size_t subscriptions(std::string_view record) const;
    [[nodiscard]] std::size_t subscriptions() const { return subscriptions_; }
    [[nodiscard]] const Metrics& metrics() const { return metrics_; }

private:
    struct Topic;
    struct Link;
    struct Subscription;

    Topic& topic(std::string_view name);
    void drop_if_unused(Topic& topic);
    [[nodiscard]] Topic* find_record(RecordId record) const;
    [[nodiscard]] Link* find_link(LinkId link) const;

    void send(Link& link, wire::MessageType type, std::initializer_list<Bytes> parts);
    void publish(Topic& topic, Bytes delta);
    void answer(Link& link, Subscription& subscription);
    void send_image(Link& link, const Subscription& subscription);
    void send_absent(Link& link, const Subscription& subscription);
    void send_refused(Link& link, SubscriptionId subscription, const Error& reason);
    void send_listing(Link& link);
    void send_behind(Link& link);
    void notify(std::string_view name, bool added);
    void unlink(Link& link, Subscription& subscription);
    void stamp(const Topic& topic);

    Outlet& outlet_;
    Epoch epoch_;
    Epoch epoch_last_;
    std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
    std::unordered_map<std::uint64_t, Topic*> records_;  // By RecordId. It is never iterated.
    std::map<LinkId, std::unique_ptr<Link>> links_;
    RecordId record_last_;
    Sequence sequence_floor_;  // At least the last sequence of every record removed in this epoch.
    std::size_t subscriptions_ = 0;
    Metrics metrics_;

    // Members so that their memory is used again: a change allocates nothing.
    DeltaView view_;
    Buffer stamp_;  // Epoch and sequence of the message that is being sent.
    Buffer body_;
    Buffer image_;
    const Topic* image_of_ = nullptr;  // The topic whose present image is in image_.
};

}  // namespace understudy::record
