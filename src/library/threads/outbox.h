#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>

#include "library/threads/loop_thread.h"
#include "understudy/service.h"
#include "understudy/types.h"

namespace understudy::library {

/// The changes that the application publishes through one service, on their way to the loop.
///
/// A change costs its publisher one copy under a lock. One task is posted for any number of
/// changes. The loop takes them in slices, so that many changes do not delay its other work.
///
/// Bounds: Service::unsent_max_bytes. A publisher that would exceed it waits for room. On the loop
///         it does not wait: earlier changes are taken first.
/// Thread: add() and close() any; the sink is called on the loop.
class Outbox {
public:
    enum class Kind : std::uint8_t {
        create,  ///< A new record. The bytes are its name (varint size), then its image.
        change,  ///< The bytes are a delta.
        remove,
    };

    /// Takes one entry. Bytes live as long as the call.
    using Sink = std::function<void(Kind kind, std::uint64_t record, Bytes bytes)>;

    static constexpr std::size_t slice_max_bytes = 256 * KiB;

    /// `owner` owns this object. A task that is posted keeps it alive while it runs.
    Outbox(LoopThread& loop, Sink sink) : loop_(loop), sink_(std::move(sink)) {}

    /// Errors: closed (none).
    [[nodiscard]] Result<void> add(Kind kind, std::uint64_t record, Bytes bytes,
                                   const std::weak_ptr<void>& owner);

    /// Gives everything to the sink now. Thread: loop.
    void drain();
    /// Refuses further changes, also those that wait for room.
    void close();

private:
    struct Head {
        std::uint32_t size;
        Kind kind;
        std::uint64_t record;
    };

    [[nodiscard]] bool make_room(std::unique_lock<std::mutex>& lock, std::size_t size);
    void turn(const std::weak_ptr<void>& owner);
    bool take_slice(std::size_t size_max);

    LoopThread& loop_;
    const Sink sink_;

    std::mutex mutex_;
    std::condition_variable room_;
    Buffer waiting_;
    std::size_t unsent_bytes_ = 0;  // Of waiting_ and taken_.
    std::size_t publishers_waiting_ = 0;
    bool posted_ = false;
    bool closed_ = false;

    // Loop only.
    Buffer taken_;
    std::size_t taken_at_ = 0;
    bool taking_ = false;
};

}  // namespace understudy::library
