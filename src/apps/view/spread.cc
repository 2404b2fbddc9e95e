#include "apps/view/spread.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "apps/view/quantity.h"

namespace understudy::apps {

using wire::Dynamic;

namespace {

constexpr std::size_t bar_width = 40;
constexpr std::size_t decades = 11;

/// 1, 2, 5, 10 ... 200,000,000,000 microseconds.
constexpr std::array<std::uint64_t, 3 * decades + 2> steps = [] {
    std::array<std::uint64_t, 3 * decades + 2> all{};
    std::uint64_t decade = 1;
    for (std::size_t i = 0; i < all.size(); i += 3, decade *= 10) {
        all[i] = decade;
        if (i + 1 < all.size()) all[i + 1] = 2 * decade;
        if (i + 2 < all.size()) all[i + 2] = 5 * decade;
    }
    return all;
}();

[[nodiscard]] std::size_t step_of(std::uint64_t microseconds) {
    const auto found = std::lower_bound(steps.begin(), steps.end(), microseconds);
    return found == steps.end() ? steps.size() - 1
                                : static_cast<std::size_t>(found - steps.begin());
}

}  // namespace

Spread::Spread(std::vector<std::uint64_t> microseconds) : sorted_(std::move(microseconds)) {
    std::sort(sorted_.begin(), sorted_.end());
}

std::uint64_t Spread::percentile(std::size_t percent) const {
    return sorted_.empty() ? 0 : sorted_[(sorted_.size() - 1) * percent / 100];
}

std::vector<Spread::Bucket> Spread::buckets() const {
    std::vector<Bucket> all;
    if (sorted_.empty()) return all;
    const std::size_t first = step_of(sorted_.front());
    for (std::size_t i = first; i <= step_of(sorted_.back()); ++i) {
        all.push_back({.upto_us = steps[i], .count = 0});
    }
    for (const std::uint64_t each : sorted_) ++all[step_of(each) - first].count;
    return all;
}

Dynamic::Map to_json(const Spread& spread) {
    Dynamic::Array buckets;
    for (const Spread::Bucket& bucket : spread.buckets()) {
        buckets.emplace_back(Dynamic::Map{{"upto_us", bucket.upto_us}, {"count", bucket.count}});
    }
    return {{"min", spread.percentile(0)},
            {"p50", spread.percentile(50)},
            {"p90", spread.percentile(90)},
            {"p99", spread.percentile(99)},
            {"max", spread.percentile(100)},
            {"buckets", std::move(buckets)}};
}

std::string to_line(const Spread& spread) {
    return fmt::format("min {}, p50 {}, p90 {}, p99 {}, max {}", humane_us(spread.percentile(0)),
                       humane_us(spread.percentile(50)), humane_us(spread.percentile(90)),
                       humane_us(spread.percentile(99)), humane_us(spread.percentile(100)));
}

std::string to_histogram(const Spread& spread) {
    const auto buckets = spread.buckets();
    std::uint64_t fullest = 1;
    for (const Spread::Bucket& bucket : buckets) fullest = std::max(fullest, bucket.count);
    std::string out;
    for (const Spread::Bucket& bucket : buckets) {
        // A bucket that is not empty has a visible bar.
        const std::uint64_t length = (bucket.count * bar_width + fullest - 1) / fullest;
        const std::string line = fmt::format("  up to {:>8} {:>6}  {}", humane_us(bucket.upto_us),
                                             bucket.count, std::string(length, '#'));
        out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
    }
    return out;
}

}  // namespace understudy::apps
