#include "sim/draw.h"

#include <algorithm>
#include <bit>

namespace understudy::sim {

Duration exponential(Random& random, Duration mean) {
    US_ASSERT(mean >= Duration::zero());
    US_ASSERT(mean < std::chrono::hours(24));
    if (mean == Duration::zero()) return mean;
    const std::uint64_t drawn = random.next() | 1;
    const int zeros = std::countl_zero(drawn);
    // The 16 bits after the leading one, as the fraction f of a mantissa in [1, 2).
    const std::uint64_t mantissa = zeros == 63 ? 0 : (drawn << (zeros + 1)) >> 48;
    const std::int64_t log2_64k =
        ((std::int64_t{zeros} + 1) << 16) - static_cast<std::int64_t>(mantissa);
    constexpr std::int64_t ln2_64k = 45426;
    const std::int64_t factor_1k = log2_64k * ln2_64k >> 22;  // -ln(u), in 1/1024.
    return Duration(mean.count() / 1024 * factor_1k + mean.count() % 1024 * factor_1k / 1024);
}

Duration log_uniform(Random& random, Duration low, Duration high) {
    US_ASSERT(low > Duration::zero());
    US_ASSERT(low <= high);
    const auto width = [](Duration d) {
        return static_cast<std::uint64_t>(std::bit_width(static_cast<std::uint64_t>(d.count())));
    };
    // First the octave, then a number inside it.
    const std::uint64_t bits = random.between(width(low), width(high));
    const Duration from{std::int64_t{1} << (bits - 1)};
    return std::clamp(random.between(from, from * 2), low, high);
}

}  // namespace understudy::sim
