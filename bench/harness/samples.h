#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "understudy/types.h"

namespace understudy::bench {

/// Durations of single events, kept completely so that percentiles are exact.
///
/// Bounds: kept_max. Beyond it every second one is dropped, and from then on only every second,
/// fourth, … one is kept. The maximum is always kept.
/// Thread: one at a time.
class Samples {
public:
    static constexpr std::size_t kept_max = 1'000'000;

    void add(Duration time);
    void add(const Samples& others);

    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// The nearest rank: at(0.5) is the median. Zero if there are none.
    [[nodiscard]] Duration at(double fraction) const;
    [[nodiscard]] Duration max() const { return max_; }

    struct Bucket {
        Duration up_to;
        std::uint64_t count;
    };
    /// About a dozen buckets of one round width; the last one ends at the maximum.
    [[nodiscard]] std::vector<Bucket> histogram() const;

    /// Passes the samples to another process through a file. Errors: failed (none).
    [[nodiscard]] Result<void> write(const std::string& path) const;
    [[nodiscard]] static Result<Samples> read(const std::string& path);

private:
    mutable std::vector<std::int64_t> kept_;
    mutable bool sorted_ = true;
    std::uint64_t count_ = 0;
    std::uint64_t stride_ = 1;
    Duration max_{};
};

}  // namespace understudy::bench
