#include "bench/fanout/board.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/harness/clock.h"
#include "bench/harness/fd.h"

namespace understudy::bench {

struct alignas(64) Board::Head {
    std::uint32_t subscribers;
    std::atomic<std::uint32_t> phase;
    std::atomic<std::uint32_t> ready;
    alignas(64) std::atomic<std::uint32_t> awaited;  // Subscribers that have not received it yet.
};

namespace {

[[nodiscard]] Result<void*> map(int file, std::size_t size) {
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) return Error{.code = Errc::failed, .detail = "no shared memory"};
    return memory;
}

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* limit) {
    ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, limit, nullptr,
              0);
}

}  // namespace

// Everything begins with zero, except the number of subscribers.
Result<Board> Board::make(const std::string& path, std::size_t subscribers) {
    const std::size_t size = sizeof(Head) + subscribers * sizeof(Slot);
    const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
        return Error{.code = Errc::failed, .detail = "cannot make " + path};
    }
    Board board(US_TRY(map(file.get(), size)), size);
    board.head().subscribers = static_cast<std::uint32_t>(subscribers);
    return board;
}

Result<Board> Board::open(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    struct stat found {};
    if (!file || ::fstat(file.get(), &found) != 0) {
        return Error{.code = Errc::failed, .detail = "cannot open " + path};
    }
    const auto size = static_cast<std::size_t>(found.st_size);
    return Board(US_TRY(map(file.get(), size)), size);
}

Board::Board(Board&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), size_(other.size_) {}

Board::~Board() {
    if (memory_ != nullptr) ::munmap(memory_, size_);
}

std::span<Board::Slot> Board::slots() const {
    auto* first = reinterpret_cast<Slot*>(static_cast<std::byte*>(memory_) + sizeof(Head));
    return {first, head().subscribers};
}

std::uint64_t Board::received_by_all() const {
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (const Slot& slot : slots()) {
        least = std::min(least, slot.received.load(std::memory_order_acquire));
    }
    return least;
}

std::uint64_t Board::lost() const {
    std::uint64_t sum = 0;
    for (const Slot& slot : slots()) sum += slot.lost;
    return sum;
}

std::uint64_t Board::checksum() const {
    std::uint64_t sum = 0;
    for (const Slot& slot : slots()) sum += slot.checksum;
    return sum;
}

Phase Board::phase() const {
    return static_cast<Phase>(head().phase.load(std::memory_order_relaxed));
}

void Board::set_phase(Phase phase) const { head().phase = static_cast<std::uint32_t>(phase); }

void Board::expect_all() const { head().awaited = head().subscribers; }

void Board::came() const {
    if (head().awaited.fetch_sub(1) == 1) futex(head().awaited, FUTEX_WAKE, 1, nullptr);
}

bool Board::wait_all(Duration limit) const {
    const TimePoint end = now() + limit;
    for (std::uint32_t left = head().awaited; left != 0; left = head().awaited) {
        if (now() >= end) return false;
        const timespec nap{.tv_sec = 0, .tv_nsec = 100'000'000};
        futex(head().awaited, FUTEX_WAIT, left, &nap);
    }
    return true;
}

std::uint32_t Board::ready() const { return head().ready; }
void Board::add_ready() const { ++head().ready; }

}  // namespace understudy::bench
