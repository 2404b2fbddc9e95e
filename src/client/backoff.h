#pragma once

#include <algorithm>

#include "base/random.h"
#include "understudy/types.h"

namespace understudy::client {

/// The time to wait before the next attempt. It doubles up to a bound and has a random part, so
/// that many clients of one peer do not try again at the same time.
class Backoff {
public:
    Backoff(Duration min, Duration max) : min_(min), max_(max), next_(min) {
        US_ASSERT(min > Duration::zero());
        US_ASSERT(min <= max);
    }

    [[nodiscard]] Duration wait(Random& random) {
        const Duration wait = random.between(next_ / 2, next_);
        next_ = std::min(2 * next_, max_);
        return wait;
    }
    void succeeded() { next_ = min_; }

private:
    const Duration min_;
    const Duration max_;
    Duration next_;
};

}  // namespace understudy::client
