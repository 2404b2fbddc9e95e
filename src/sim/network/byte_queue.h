#pragma once

#include <algorithm>
#include <cstddef>

#include "understudy/types.h"

namespace understudy::sim {

/// Bytes that enter at the back and leave at the front, or are dropped from the back.
class ByteQueue {
public:
    void append(Bytes data) { bytes_.insert(bytes_.end(), data.begin(), data.end()); }

    /// Moves out.size() bytes from the front. Requires: they are there.
    void take(std::span<std::byte> out) {
        US_ASSERT(out.size() <= size());
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(head_), out.size(), out.begin());
        drop_front(out.size());
    }
    void drop_front(std::size_t count) {
        US_ASSERT(count <= size());
        head_ += count;
        if (head_ == bytes_.size()) {
            bytes_.clear();
            head_ = 0;
        } else if (head_ >= compact_at && head_ >= bytes_.size() / 2) {
            bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
    }
    void drop_back(std::size_t count) {
        US_ASSERT(count <= size());
        bytes_.resize(bytes_.size() - count);
    }

    [[nodiscard]] std::size_t size() const { return bytes_.size() - head_; }

private:
    static constexpr std::size_t compact_at = 64 * KiB;

    Buffer bytes_;
    std::size_t head_ = 0;
};

}  // namespace understudy::sim
