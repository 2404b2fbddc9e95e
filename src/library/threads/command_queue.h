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
/// A command costs the calling thread one copy under a lock. One task is posted for any number of
/// commands.
/// Bounds: Replica::outstanding_max commands and bytes_max bytes until release(). A command beyond
///         them waits or is refused, as the caller says.
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

    /// Returns whether the loop has to be told.
    /// Errors: limit_exceeded, closed (none); `answered` is unchanged then.
    [[nodiscard]] Result<bool> add(const std::optional<Request>& request, Bytes command,
                                   Replica::Answered& answered, Full full);
    /// Takes all commands. `spare` is the last result: its memory is used again.
    [[nodiscard]] Taken take(Taken spare);
    /// `count` commands of `bytes` bytes together have their answers.
    void release(std::size_t count, std::size_t bytes);
    /// Refuses further commands, also those that wait for room.
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
