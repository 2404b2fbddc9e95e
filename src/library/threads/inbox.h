#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "record/messages.h"
#include "understudy/proxy.h"
#include "understudy/types.h"

namespace understudy::library {

/// The events for the subscriptions of one proxy, on their way from the loop to the callback
/// thread.
///
/// Bytes are copied once, into a buffer that take() returns as a whole. When there are
/// size_max_bytes of them, further events of a subscription are dropped and it is marked as
/// lagging. When the callback thread has taken the rest, it asks for a new image of that
/// subscription. A refusal or a lost connection is never dropped.
///
/// Bounds: size_max_bytes and one message that wait, and as many that were taken; one note for each
///         subscription.
/// Thread: put() and retire() the loop, take() the callback thread.
class Inbox {
public:
    static constexpr std::size_t size_max_bytes = 4 * MiB;

    /// One event of one subscription, or the loss of the connection for all of them.
    struct Entry {
        record::Event event;
        /// Null: the connection is lost. There is no event.
        Subscription::Impl* subscription = nullptr;
        std::uint32_t connection = 0;  ///< Counts the connections of the proxy.
        bool new_line = false;  ///< Epochs of earlier connections cannot be compared with it.
    };
    static_assert(std::is_trivially_copyable_v<Entry>, "it is kept as bytes");

    /// Events that came when there was no room. They are handled after the entries.
    struct Late {
        struct Note {
            bool refused = false;
            bool lagging = false;
        };
        bool lost = false;
        std::map<Subscription::Impl*, Note> notes = {};
        [[nodiscard]] bool empty() const { return !lost && notes.empty(); }
    };

    /// The result of take(): entries in order, then the late events.
    class Taken {
    public:
        template <class Visitor>
        void each(Visitor&& visit) const;
        [[nodiscard]] const Late& late() const { return late_; }
        /// The entries are not used any more.
        void release();

    private:
        friend class Inbox;
        Buffer entries_;
        Late late_;
        std::vector<std::shared_ptr<Subscription::Impl>> retired_;  // Entries may point to them.
    };

    /// Returns whether the callback thread has to be told, as retire() does.
    [[nodiscard]] bool put(const Entry& entry);

    /// No more events come for it. It is kept until the entries that point to it are released.
    [[nodiscard]] bool retire(std::shared_ptr<Subscription::Impl> subscription);

    /// Returns false if there is nothing. Then the next put() returns true.
    /// Requires: what was taken before is released.
    [[nodiscard]] bool take(Taken& taken);

private:
    void keep(const Entry& entry);
    [[nodiscard]] bool drop(const Entry& entry);

    std::mutex mutex_;
    Buffer entries_;  // Each entry as it is in memory, then its bytes.
    Late late_;
    std::vector<std::shared_ptr<Subscription::Impl>> retired_;
    bool told_ = false;  // The callback thread has been told, and will call take().
};

template <class Visitor>
void Inbox::Taken::each(Visitor&& visit) const {
    for (std::size_t at = 0; at < entries_.size();) {
        Entry entry;
        std::memcpy(&entry, entries_.data() + at, sizeof entry);
        at += sizeof entry;
        entry.event.bytes = Bytes(entries_).subspan(at, entry.event.bytes.size());
        at += entry.event.bytes.size();
        visit(std::as_const(entry));
    }
}

}  // namespace understudy::library
