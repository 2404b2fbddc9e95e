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

/// What the loop hands to the callback thread for the subscriptions of one proxy.
///
/// Bytes are copied once into a buffer that the other side takes as a whole. Beyond size_max_bytes
/// nothing more is kept of a subscription: it lags, and when the other side has caught up it is to
/// be asked for one fresh image instead. A refusal or a lost connection is never forgotten.
///
/// Bounds: size_max_bytes and one message waiting, as much being worked on; a note per
///         subscription.
/// Thread: put*() and retire() the loop, take() the callback thread.
class Inbox {
public:
    static constexpr std::size_t size_max_bytes = 4 * MiB;

    enum class Kind : std::uint8_t { image, delta, absent, removed, refused, lost };

    /// One event of one subscription; `lost` is for all of them.
    struct Entry {
        Kind kind;
        bool new_line = false;  ///< Epochs of earlier connections cannot be compared with it.
        std::uint32_t connection = 0;  ///< Counts the connections of the proxy.
        Subscription::Impl* subscription = nullptr;
        Epoch epoch = {};
        Sequence sequence = {};
        Bytes bytes = {};  ///< Of an image or a delta.
    };

    /// What is to be done after the entries, since it came when there was no room.
    struct Late {
        struct Note {
            bool refused = false;
            bool lagging = false;
        };
        bool lost = false;
        std::map<Subscription::Impl*, Note> notes = {};
        [[nodiscard]] bool empty() const { return !lost && notes.empty(); }
    };

    /// What take() gives: entries in order, then what came late.
    class Taken {
    public:
        template <class Visitor>
        void each(Visitor&& visit) const;
        [[nodiscard]] const Late& late() const { return late_; }
        /// Nobody looks at the entries any more.
        void release();

    private:
        friend class Inbox;
        Buffer entries_;
        Late late_;
        std::vector<std::shared_ptr<Subscription::Impl>> retired_;  // Entries may name them.
    };

    /// Both return whether the callback thread has to be told.
    [[nodiscard]] bool put(const Entry& entry);

    /// Nothing more comes for it; it stays until the entries that name it are released.
    [[nodiscard]] bool retire(std::shared_ptr<Subscription::Impl> subscription);

    /// Requires: what was taken before is released. False if there is nothing; put() then tells of
    ///           the next.
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
    bool told_ = false;  // The callback thread will come.
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
