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

/// One connection to a subscriber; chosen by the shell.
using LinkId = Strong<struct LinkTag>;
using RecordId = Strong<struct RecordTag>;  ///< One record of one publisher; never reused.

/// What an outlet says after taking a message.
enum class Flow : std::uint8_t {
    open,  ///< Go on.
    full,  ///< The link is over its high-water mark: nothing more until Publisher::drained().
};

/// Where a publisher's output goes. Must not call back into the publisher.
class Outlet {
public:
    virtual ~Outlet() = default;
    /// Sends one message, its body in parts that live as long as the call. Never refuses.
    virtual Flow send(LinkId link, wire::MessageType type, std::span<const Bytes> parts) = 0;
    /// The number of subscriptions to a record changed, whether or not the record exists.
    virtual void subscriptions_changed(std::string_view record, std::size_t previous,
                                       std::size_t current) = 0;
};

/// All records of one member of a service, and who subscribes to them.
///
/// Promise to each subscription: first an image, then every change in order, stamped (epoch,
/// sequence) without a gap; or, if its link is full, nothing and then one image of the latest
/// state. So a slow subscriber costs no queue: it loses intermediate states, never the last one.
///
/// Works while the member is active. While it stands by, records and subscriptions are kept, and
/// nothing is sent: with the new tenure's epoch each subscription gets its image at once.
///
/// Bounds: records_max, subscriptions_max per link, record_size_max per record: refused. A full
///         link gets nothing but refusals of what it asks for; a listing of names, once begun, is
///         finished.
/// Thread: loop only.
class Publisher {
public:
    struct Metrics {
        std::uint64_t changes = 0;    ///< Committed while active.
        std::uint64_t deltas = 0;     ///< Sent, one per subscription.
        std::uint64_t images = 0;     ///< Sent, one per subscription.
        std::uint64_t coalesced = 0;  ///< Changes that a full link did not get one by one.
        std::uint64_t resyncs = 0;    ///< Asked for by subscribers.
    };

    explicit Publisher(Outlet& outlet);
    ~Publisher();
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    // What the member does.

    /// A new record, with `image` (codec.h) or empty.
    /// Errors: already_exists, limit_exceeded, bad_config, corrupt (none).
    [[nodiscard]] Result<RecordId> create(std::string_view name, Bytes image = {});
    /// One change, made by Draft::commit() on the record's current state.
    /// Errors: not_found, corrupt, limit_exceeded (none). The record is unchanged.
    [[nodiscard]] Result<void> commit(RecordId record, Bytes delta);
    /// Errors: not_found (none).
    [[nodiscard]] Result<void> remove(RecordId record);

    /// The member is active from now on: subscribers get images of this epoch.
    /// Requires: standing by; an epoch not below any earlier one, and not 0.
    void activate(Epoch epoch);
    /// The member is not active any more. Idempotent.
    void stand_by();

    // What subscribers do. Events of a link that is not there are ignored.

    /// Requires: the link is new.
    void link_added(LinkId link);
    void link_gone(LinkId link);
    /// The backlog of the link is empty again: it takes messages.
    void drained(LinkId link);
    /// Answered by image, absent, or subscribe_refused (limit_exceeded, bad_config,
    /// already_exists: the number is in use on this link).
    void subscribe(LinkId link, SubscriptionId subscription, std::string_view record);
    void unsubscribe(LinkId link, SubscriptionId subscription);
    void resync(LinkId link, SubscriptionId subscription);
    /// The subscription was not allowed by the member's permission filter.
    void refuse(LinkId link, SubscriptionId subscription, const Error& reason);
    /// The link wants a listing of records, then notices of those added and removed.
    void want_notices(LinkId link);

    [[nodiscard]] std::optional<RecordId> find(std::string_view name) const;
    [[nodiscard]] const RecordImage* image(RecordId record) const;  ///< Null if not found.
    [[nodiscard]] Epoch epoch() const { return epoch_; }            ///< 0 while standing by.
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
    void send_refused(Link& link, SubscriptionId subscription, Error reason);
    void send_listing(Link& link);
    void send_behind(Link& link);
    void notify(std::string_view name, bool added);
    void unlink(Link& link, Subscription& subscription);
    void stamp(const Topic& topic);

    Outlet& outlet_;
    Epoch epoch_;
    Epoch epoch_last_;
    std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
    std::unordered_map<std::uint64_t, Topic*> records_;  // By RecordId; never iterated.
    std::map<LinkId, std::unique_ptr<Link>> links_;
    RecordId record_last_;
    Sequence sequence_floor_;  // Not below the last sequence of any removed record of this epoch.
    std::size_t subscriptions_ = 0;
    Metrics metrics_;

    // Reused, so that a change allocates nothing.
    DeltaView view_;
    Buffer stamp_;  // (epoch, sequence) of the message being sent.
    Buffer body_;
    Buffer image_;
    const Topic* image_of_ = nullptr;  // Whose current image image_ holds.
};

}  // namespace understudy::record
