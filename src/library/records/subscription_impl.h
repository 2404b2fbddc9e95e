#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/log.h"
#include "base/types.h"
#include "library/threads/hidden.h"
#include "library/threads/inbox.h"
#include "record/mirror.h"
#include "understudy/proxy.h"

namespace understudy {

/// One subscription: the local copy of the record, and its listeners.
///
/// Only one thread, the callback thread or the loop, changes record and status. The mutex is for
/// threads that read them meanwhile.
struct US_HIDDEN Subscription::Impl : std::enable_shared_from_this<Impl> {
    using StatusListener = std::function<void(RecordStatus)>;

    Impl(std::string its_record, const SubscribeOptions& options, RecordListener its_listener)
        : record(std::move(its_record)),
          token(options.token),
          where(options.where),
          listener(std::move(its_listener)) {}

    // On the thread that is its own.

    /// Applies one event from the member. Returns true if a fresh image must be requested.
    [[nodiscard]] bool take(Log& log, const library::Inbox::Entry& entry);
    void refused(Log& log) { set_status(log, RecordStatus::refused); }
    void connection_lost(Log& log);
    void add_status_listener(Log& log, StatusListener added);

    /// The proxy is closed: no listener is called any more, and the image remains. Thread: any.
    void abandon();

    const std::string record;
    const std::string token;
    const RunOn where;
    const RecordListener listener;
    SubscriptionId id;  ///< Loop only; 0: the platform does not know it.
    /// Removes it from its proxy. It is set before others get this object.
    std::function<void(const std::shared_ptr<Impl>&)> unsubscribe;

    std::atomic<bool> ended{false};
    std::atomic<std::uint64_t> coalesced{0};
    /// The loop sets it when it drops an event, until it has passed on a fresh image.
    std::atomic<bool> lagging{false};

    mutable std::mutex mutex;
    record::Mirror mirror;
    RecordStatus status = RecordStatus::connecting;

private:
    [[nodiscard]] record::Applied apply(Log& log, const library::Inbox::Entry& entry);
    void set_status(Log& log, RecordStatus now);

    // Its own thread only.
    RecordChange change_;
    std::deque<StatusListener> status_listeners_;
    std::uint32_t connection_ = 0;  // The connection from which the mirror's state came.
    bool wants_image_ = false;      // Everything before the next image is ignored.
};

}  // namespace understudy
