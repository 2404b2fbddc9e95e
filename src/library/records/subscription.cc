#include <utility>

#include "library/records/subscription_impl.h"
#include "library/threads/guard.h"
#include "understudy/proxy.h"

namespace understudy {

using library::guarded;
using library::Inbox;
using record::Applied;
using wire::MessageType;

bool Subscription::Impl::take(Log& log, const Inbox::Entry& entry) {
    const MessageType type = entry.event.type;
    if (ended.load()) return false;
    if (type == MessageType::subscribe_refused) {
        refused(log);
        return false;
    }
    if (type == MessageType::delta) {
        // The loop has dropped an event after this one. An image with everything will come.
        if (lagging.load()) wants_image_ = true;
        if (wants_image_) {
            coalesced.fetch_add(1);
            return false;
        }
    }

    switch (apply(log, entry)) {
        case Applied::stale_epoch: return false;
        case Applied::gap: return !std::exchange(wants_image_, true);
        case Applied::unchanged:
        case Applied::changed: break;
    }
    if (type != MessageType::delta) {
        wants_image_ = false;
        set_status(log, type == MessageType::image ? RecordStatus::connected
                                                   : RecordStatus::absent);
    }
    if (change_.empty() && type != MessageType::image) return false;
    // Only this thread changes the mirror, so it may be read here without a lock.
    guarded(log, "record listener", [&] { listener(mirror.image(), change_); });
    return false;
}

// A change that cannot be applied counts as a gap. One that cannot be read is ignored, because a
// new request would bring the same bytes.
Applied Subscription::Impl::apply(Log& log, const Inbox::Entry& entry) {
    Result<Applied> applied = Applied::unchanged;
    {
        const std::lock_guard lock(mutex);
        if (entry.connection != connection_) {
            if (entry.new_line) mirror.forget_epoch();
            connection_ = entry.connection;
        }
        applied = mirror.apply(entry.event, &change_);
    }
    if (applied) return *applied;
    log.error("subscription.unreadable", {kv("record", record), kv("error", applied.error())});
    return entry.event.type == MessageType::delta ? Applied::gap : Applied::stale_epoch;
}

namespace {

[[nodiscard]] RecordStatus without_connection(RecordStatus status) {
    const bool was_fresh = status == RecordStatus::connected || status == RecordStatus::absent;
    return was_fresh ? RecordStatus::stale : status;
}

}  // namespace

void Subscription::Impl::connection_lost(Log& log) {
    RecordStatus next;
    {
        const std::lock_guard lock(mutex);
        mirror.disconnected();
        next = without_connection(status);
    }
    set_status(log, next);
}

void Subscription::Impl::abandon() {
    ended.store(true);
    const std::lock_guard lock(mutex);
    mirror.disconnected();
    status = without_connection(status);
}

void Subscription::Impl::set_status(Log& log, RecordStatus now) {
    {
        const std::lock_guard lock(mutex);
        if (std::exchange(status, now) == now) return;
    }
    for (std::size_t i = 0; i < status_listeners_.size() && !ended.load(); ++i) {
        guarded(log, "record status listener", [&] { status_listeners_[i](now); });
    }
}

void Subscription::Impl::add_status_listener(Log& log, StatusListener added) {
    status_listeners_.push_back(std::move(added));
    if (ended.load()) return;
    guarded(log, "record status listener", [&] { status_listeners_.back()(status); });
}

Subscription::Subscription(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&& other) noexcept {
    if (this != &other) {
        end();
        impl_ = std::move(other.impl_);
    }
    return *this;
}
Subscription::~Subscription() { end(); }

void Subscription::end() {
    const std::shared_ptr<Impl> impl = impl_;
    if (impl == nullptr || impl->ended.exchange(true)) return;
    impl->unsubscribe(impl);
}

void Subscription::detach() { impl_.reset(); }

RecordImage Subscription::image() const {
    if (impl_ == nullptr) return {};
    const std::lock_guard lock(impl_->mutex);
    return impl_->mirror.image();
}

RecordStatus Subscription::status() const {
    if (impl_ == nullptr) return RecordStatus::connecting;
    const std::lock_guard lock(impl_->mutex);
    return impl_->status;
}

std::uint64_t Subscription::coalesced() const {
    return impl_ == nullptr ? 0 : impl_->coalesced.load();
}

}  // namespace understudy
