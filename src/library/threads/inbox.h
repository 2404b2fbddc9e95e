#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/types.h"
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

    enum class Kind : std::uint8_t { image, delta, absent, removed, refused, lost };

    /// One event of one subscription. `lost` is for all of them.
    struct Entry {
        Kind kind;
        bool new_line = false;  ///< Epochs of earlier connections cannot be compared with it.
        std::uint32_t connection = 0;  ///< Counts the connections of the proxy.
        Subscription::Impl* subscription = nullptr;
        Epoch epoch = {};
        Sequence sequence = {};
        Bytes bytes = {};  ///< For an image or a delta.
    };

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
    struct Head {
        Subscription::Impl* subscription;
        std::uint64_t epoch;
        std::uint64_t sequence;
        std::uint32_t connection;
        std::uint32_t size;
        Kind kind;
        bool new_line;
    };

    void keep(const Entry& entry);
    [[nodiscard]] bool drop(const Entry& entry);

    std::mutex mutex_;
    Buffer entries_;
    Late late_;
    std::vector<std::shared_ptr<Subscription::Impl>> retired_;
    bool told_ = false;  // The callback thread has been told, and will call take().
};

template <class Visitor>
void Inbox::Taken::each(Visitor&& visit) const {
    for (std::size_t at = 0; at < entries_.size();) {
        Head head;
        std::memcpy(&head, entries_.data() + at, sizeof head);
        at += sizeof head;
        visit(Entry{.kind = head.kind, .new_line = head.new_line, .connection = head.connection,
                    .subscription = head.subscription, .epoch = Epoch{head.epoch},
                    .sequence = Sequence{head.sequence},
                    .bytes = Bytes(entries_).subspan(at, head.size)});
        at += head.size;
    }
}

}  // namespace understudy::library
