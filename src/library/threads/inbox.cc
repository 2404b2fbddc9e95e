#include "library/threads/inbox.h"

#include <utility>

#include "library/records/subscription_impl.h"

namespace understudy::library {

using wire::MessageType;

namespace {

constexpr std::size_t inbox_kept_bytes_max = 1 * MiB;  // The memory of longer buffers is freed.

}  // namespace

bool Inbox::put(const Entry& entry) {
    const std::lock_guard lock(mutex_);
    if (drop(entry)) return false;
    keep(entry);
    return !std::exchange(told_, true);
}

// A new image ends the lag of a subscription. If there is no room for it, the subscription lags.
// While there is no room, the callback thread has been told, and will find the late events.
bool Inbox::drop(const Entry& entry) {
    const bool full = entries_.size() >= size_max_bytes;
    if (entry.subscription == nullptr) {
        if (full) late_.lost = true;
        return full;
    }
    if (entry.event.type == MessageType::subscribe_refused) {
        if (full) late_.notes[entry.subscription].refused = true;
        return full;
    }
    Subscription::Impl& subscription = *entry.subscription;
    const bool fresh = entry.event.type != MessageType::delta;
    const bool lagging = subscription.lagging.load();
    if (!full && (fresh || !lagging)) {
        if (lagging) subscription.lagging.store(false);
        return false;
    }
    subscription.coalesced.fetch_add(1);
    subscription.lagging.store(true);
    if (full && (fresh || !lagging)) late_.notes[&subscription].lagging = true;
    return true;
}

void Inbox::keep(const Entry& entry) {
    const auto* raw = reinterpret_cast<const std::byte*>(&entry);
    const Bytes bytes = entry.event.bytes;
    entries_.insert(entries_.end(), raw, raw + sizeof entry);
    entries_.insert(entries_.end(), bytes.begin(), bytes.end());
}

bool Inbox::retire(std::shared_ptr<Subscription::Impl> subscription) {
    const std::lock_guard lock(mutex_);
    retired_.push_back(std::move(subscription));
    return !std::exchange(told_, true);
}

bool Inbox::take(Taken& taken) {
    const std::lock_guard lock(mutex_);
    if (entries_.empty() && late_.empty() && retired_.empty()) {
        told_ = false;
        return false;
    }
    taken.entries_.swap(entries_);
    std::swap(taken.late_, late_);
    taken.retired_.swap(retired_);
    return true;
}

void Inbox::Taken::release() {
    entries_.clear();
    if (entries_.capacity() > inbox_kept_bytes_max) Buffer().swap(entries_);
    late_ = Late();
    retired_.clear();
}

}  // namespace understudy::library
