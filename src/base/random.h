#pragma once

#include <cstdint>

#include "understudy/types.h"

namespace understudy {

/// A source of random numbers. The seed alone determines the sequence, on every machine.
///
/// Algorithm: xoshiro256** seeded by splitmix64 (public domain, Blackman and Vigna).
/// Thread: that of its owner.
class Random {
public:
    explicit Random(std::uint64_t seed);

    [[nodiscard]] std::uint64_t next();
    /// Uniform in [0, bound). Requires: bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
    /// Uniform in [low, high]. Requires: low <= high.
    [[nodiscard]] Duration between(Duration low, Duration high);
    [[nodiscard]] std::uint64_t between(std::uint64_t low, std::uint64_t high);
    /// True in `numerator` of `denominator` draws.
    [[nodiscard]] bool chance(std::uint64_t numerator, std::uint64_t denominator);

private:
    std::uint64_t state_[4];
};

}  // namespace understudy
