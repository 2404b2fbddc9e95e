#include "base/random.h"

#include <bit>

namespace understudy {

namespace {

// splitmix64: spreads a seed of any quality over all the bits of the state.
std::uint64_t split_mix(std::uint64_t& state) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

}  // namespace

Random::Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) word = split_mix(seed);
}

std::uint64_t Random::next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
    US_ASSERT(bound > 0);
    // Numbers from the incomplete last round are discarded, because they would favour small
    // results.
    const std::uint64_t unfair = (0 - bound) % bound;  // 2^64 mod bound
    for (;;) {
        const std::uint64_t draw = next();
        if (draw >= unfair) return draw % bound;
    }
}

Duration Random::between(Duration low, Duration high) {
    US_ASSERT(low <= high);
    // The arithmetic is unsigned because the distance between two signed numbers may not fit a
    // signed one.
    const auto low_count = static_cast<std::uint64_t>(low.count());
    const auto high_count = static_cast<std::uint64_t>(high.count());
    const std::uint64_t drawn = low_count + between(0, high_count - low_count);
    return Duration(static_cast<Duration::rep>(drawn));
}

std::uint64_t Random::between(std::uint64_t low, std::uint64_t high) {
    US_ASSERT(low <= high);
    const std::uint64_t span = high - low;
    if (span == UINT64_MAX) return next();
    return low + below(span + 1);
}

bool Random::chance(std::uint64_t numerator, std::uint64_t denominator) {
    return below(denominator) < numerator;
}

}  // namespace understudy
