#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wire/dynamic.h"

namespace understudy::apps {

/// A set of durations in microseconds: percentiles, and a histogram.
///
/// Thread: any; immutable.
class Spread {
public:
    /// Durations longer than the limit of the bucket before, and at most `upto_us`.
    struct Bucket {
        std::uint64_t upto_us = 0;
        std::uint64_t count = 0;
        friend bool operator==(const Bucket&, const Bucket&) = default;
    };

    /// The durations in any order.
    explicit Spread(std::vector<std::uint64_t> microseconds);

    [[nodiscard]] std::size_t count() const { return sorted_.size(); }
    /// 0 if there are none. Requires: percent <= 100.
    [[nodiscard]] std::uint64_t percentile(std::size_t percent) const;
    /// In steps of 1, 2, 5, 10: from the first bucket that is not empty to the last, with the empty
    /// ones between them. The last bucket is that of 200,000 seconds, which also contains all
    /// longer durations.
    [[nodiscard]] std::vector<Bucket> buckets() const;

private:
    std::vector<std::uint64_t> sorted_;
};

/// min, p50, p90, p99, max, and buckets with upto_us and count.
[[nodiscard]] wire::Dynamic::Map to_json(const Spread& spread);
/// "min 1.2 ms, p50 ..." on one line, without the line end.
[[nodiscard]] std::string to_line(const Spread& spread);
/// A line for each bucket; the bar of the largest fills the room.
[[nodiscard]] std::string to_histogram(const Spread& spread);

}  // namespace understudy::apps
