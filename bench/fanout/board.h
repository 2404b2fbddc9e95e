#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "understudy/types.h"

namespace understudy::bench {

/// The present phase, set by the publisher. Times are recorded in the last two.
enum class Phase : std::uint32_t { settling, in_turn, saturated };
inline constexpr std::size_t phases = 3;

/// Memory that the publisher and all subscribers share, for their acknowledgements. It is not part
/// of what is measured, and the same for every system.
///
/// Thread: any; each slot is written by one subscriber.
class Board {
public:
    struct alignas(64) Slot {
        std::atomic<std::uint64_t> received;  ///< The last number that arrived.
        std::atomic<std::uint64_t> lost;      ///< Numbers that were skipped.
        std::atomic<std::uint64_t> checksum;
    };

    /// For the publisher; creates the file. Errors: failed (none).
    [[nodiscard]] static Result<Board> make(const std::string& path, std::size_t subscribers);
    /// For a subscriber. Errors: failed (none).
    [[nodiscard]] static Result<Board> open(const std::string& path);
    Board(Board&& other) noexcept;
    Board& operator=(Board&&) = delete;
    ~Board();

    [[nodiscard]] std::span<Slot> slots() const;
    /// The smallest number that all have received.
    [[nodiscard]] std::uint64_t received_by_all() const;
    [[nodiscard]] std::uint64_t lost() const;
    [[nodiscard]] std::uint64_t checksum() const;

    [[nodiscard]] Phase phase() const;
    void set_phase(Phase phase) const;

    /// Called before one number is published in turn; all subscribers must receive it.
    void expect_all() const;
    /// A subscriber has received it; the last one wakes the publisher.
    void came() const;
    [[nodiscard]] bool wait_all(Duration limit) const;

    /// Subscribers that have received anything.
    [[nodiscard]] std::uint32_t ready() const;
    void add_ready() const;

private:
    struct Head;
    Board(void* memory, std::size_t size) : memory_(memory), size_(size) {}
    [[nodiscard]] Head& head() const { return *static_cast<Head*>(memory_); }

    void* memory_;
    std::size_t size_;
};

}  // namespace understudy::bench
