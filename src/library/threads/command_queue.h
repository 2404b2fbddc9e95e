#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "understudy/replica.h"

namespace understudy::library {

/// Commands on their way to the loop, in the order in which they were submitted.
///
/// A command costs its submitter one copy under a lock; however many there are, one task is posted
/// for all.
/// Bounds: Replica::outstanding_max commands, bytes_max bytes, until released.
/// Thread: any.
class CommandQueue {
public:
    struct Item {
        std::optional<Request> request;
        std::size_t offset = 0;
        std::size_t size = 0;
        Replica::Answered answered;
    };
    struct Taken {
        std::vector<Item> items;
        Buffer bytes;  ///< Of all of them.
    };
    enum class Full { wait, refuse };

    explicit CommandQueue(std::size_t bytes_max = Replica::outstanding_bytes_max)
        : bytes_max_(bytes_max) {}

    /// True: the loop has to be told. Errors: limit_exceeded, closed (none); `answered` is
    ///       untouched.
    [[nodiscard]] Result<bool> add(const std::optional<Request>& request, Bytes command,
                                   Replica::Answered& answered, Full full);
    /// Everything there is. `spare` is what was taken before, to be used again.
    [[nodiscard]] Taken take(Taken spare);
    /// So many, with so many bytes, have their answers.
    void release(std::size_t count, std::size_t bytes);
    /// Takes nothing more; whoever waits for room is refused.
    void close();

private:
    const std::size_t bytes_max_;
    std::mutex mutex_;
    std::condition_variable room_;
    Taken waiting_;
    std::size_t outstanding_ = 0;
    std::size_t outstanding_bytes_ = 0;
    std::size_t submitters_waiting_ = 0;
    bool told_ = false;
    bool closed_ = false;
};

}  // namespace understudy::library
