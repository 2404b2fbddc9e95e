#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "bench/harness/checksum.h"
#include "bench/harness/clock.h"
#include "bench/harness/samples.h"

namespace understudy::bench {

/// How fast calls went.
struct Calls {
    Samples latency;
    double per_second = 0;
    std::uint64_t checksum = 0;
};

/// What a program beside this one says of its calls: a line, and a file with each latency.
/// Returns its exit code: 1 if a call failed.
[[nodiscard]] inline int say_calls(const Calls& calls, const std::string& file) {
    if (calls.per_second <= 0 || !calls.latency.write(file)) return 1;
    std::printf("%.1f %llu\n", calls.per_second, static_cast<unsigned long long>(calls.checksum));
    return 0;
}
/// The same, read. Errors: failed (none).
[[nodiscard]] inline Result<Calls> read_calls(const std::string& line, const std::string& file) {
    Calls calls;
    calls.latency = US_TRY(Samples::read(file));
    std::size_t end = 0;
    calls.per_second = std::stod(line, &end);
    calls.checksum = std::stoull(line.substr(end));
    return calls;
}

/// Calls one after the other; what comes before `measured` has begun warms up.
///
/// `call` makes one call and gives the size of its answer, or 0 if it failed.
/// Errors: what `call` says is failed by 0 ends it early: per_second is 0.
template <class Call>
[[nodiscard]] Calls one_at_a_time(Duration warm_up, Duration measured, Call&& call) {
    Calls calls;
    Checksum checksum;
    const TimePoint start = now() + warm_up;
    const TimePoint end = start + measured;
    std::uint64_t count = 0;
    TimePoint before = now();
    while (before < end) {
        const std::size_t size = call();
        const TimePoint after = now();
        if (size == 0) return {};
        if (before >= start) {
            calls.latency.add(after - before);
            checksum.add(size);
            ++count;
        }
        before = after;
    }
    calls.per_second = static_cast<double>(count) / in_seconds(before - start);
    calls.checksum = checksum.value();
    return calls;
}

/// The same bookkeeping where many calls are outstanding: begin() and done() of each.
///
/// Thread: one at a time.
class Outstanding {
public:
    Outstanding(Duration warm_up, Duration measured)
        : start_(now() + warm_up), end_(start_ + measured) {}

    /// Counts one that is done; false: do not begin another in its place.
    bool done(TimePoint begun, std::size_t size) {
        last_ = now();
        if (size == 0) failed_ = true;
        if (begun >= start_ && last_ <= end_) {
            latency_.add(last_ - begun);
            checksum_.add(size);
        }
        return last_ < end_ && !failed_;
    }
    [[nodiscard]] bool failed() const { return failed_; }

    [[nodiscard]] Calls result() const {
        if (failed_) return {};
        const double seconds = in_seconds(end_ - start_);
        return {.latency = latency_,
                .per_second = static_cast<double>(latency_.count()) / seconds,
                .checksum = checksum_.value()};
    }

private:
    const TimePoint start_;
    const TimePoint end_;
    TimePoint last_{};
    Samples latency_;
    Checksum checksum_;
    bool failed_ = false;
};

}  // namespace understudy::bench
