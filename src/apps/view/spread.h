#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "wire/dynamic.h"

namespace understudy::apps {

/// How long something took, each time, in microseconds: percentiles, and how many took how long.
///
/// Thread: any; immutable.
class Spread {
public:
    /// Those that took longer than the bucket below, and not longer than `upto_us`.
    struct Bucket {
        std::uint64_t upto_us = 0;
        std::uint64_t count = 0;
        friend bool operator==(const Bucket&, const Bucket&) = default;
    };

    /// In any order.
    explicit Spread(std::vector<std::uint64_t> microseconds);

    [[nodiscard]] std::size_t count() const { return sorted_.size(); }
    /// 0 if there are none. Requires: percent <= 100.
    [[nodiscard]] std::uint64_t percentile(std::size_t percent) const;
    /// In steps of 1, 2, 5, 10: from the first that holds any to the last, the empty ones between
    /// them included. The last one is that of 200,000 seconds, with all that is longer.
    [[nodiscard]] std::vector<Bucket> buckets() const;

private:
    std::vector<std::uint64_t> sorted_;
};

/// min, p50, p90, p99, max, and buckets: upto_us and count of each.
[[nodiscard]] wire::Dynamic::Map to_json(const Spread& spread);
/// "min 1.2 ms, p50 ..." on one line, without its end.
[[nodiscard]] std::string to_line(const Spread& spread);
/// A line for each bucket, the bar of the fullest as long as there is room.
[[nodiscard]] std::string to_histogram(const Spread& spread);

}  // namespace understudy::apps
