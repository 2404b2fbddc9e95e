#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fanout/board.h"
#include "bench/harness/samples.h"

namespace understudy::bench {

/// The figures of one subscriber, the same for every system: numbers in order, times.
///
/// Thread: heard() one at a time.
class Subscriber {
public:
    static constexpr std::uint64_t sampled_every = 16;  ///< While saturated; in turn, each one.

    Subscriber(const Board& board, std::size_t slot) : board_(board), slot_(board.slots()[slot]) {}

    /// A message arrived; any other text is only a sign of life.
    void heard(std::string_view text);
    void lost(std::uint64_t count) { slot_.lost += count; }
    [[nodiscard]] const Samples& samples(Phase phase) const {
        return samples_[static_cast<std::size_t>(phase)];
    }

private:
    const Board& board_;
    Board::Slot& slot_;
    bool any_ = false;
    std::uint64_t received_ = 0;
    std::uint64_t checksum_ = 0;
    std::array<Samples, phases> samples_;
};

/// The settings of a process of subscribers.
struct SubscriberOptions {
    std::string address;    ///< Of the registry, or "HOST:PORT" of the server.
    std::size_t first = 0;  ///< Slot of the first subscriber.
    std::size_t count = 1;
};

using Subscribers = std::vector<std::unique_ptr<Subscriber>>;

// Each function subscribes with one connection per subscriber, until standard input ends.
Result<void> subscribe_understudy(const SubscriberOptions& options, Subscribers& subscribers);
Result<void> subscribe_redis(const SubscriberOptions& options, Subscribers& subscribers);
Result<void> subscribe_mosquitto(const SubscriberOptions& options, Subscribers& subscribers);

inline constexpr const char* channel = "bench";  ///< Record, channel or topic.

}  // namespace understudy::bench
