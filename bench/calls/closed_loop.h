#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "bench/harness/checksum.h"
#include "bench/harness/clock.h"
#include "bench/harness/samples.h"

namespace understudy::bench {

/// The measured calls.
struct Calls {
    Samples latency;
    double per_second = 0;
    std::uint64_t checksum = 0;
};

/// Reports the calls of a helper program: a line on standard output, and a file with each latency.
/// Returns the exit code: 1 if a call failed.
[[nodiscard]] inline int say_calls(const Calls& calls, const std::string& file) {
    if (calls.per_second <= 0 || !calls.latency.write(file)) return 1;
    std::printf("%.1f %llu\n", calls.per_second, static_cast<unsigned long long>(calls.checksum));
    return 0;
}
/// Reads that report. Errors: failed (none).
[[nodiscard]] inline Result<Calls> read_calls(const std::string& line, const std::string& file) {
    Calls calls;
    calls.latency = US_TRY(Samples::read(file));
    std::size_t end = 0;
    calls.per_second = std::stod(line, &end);
    calls.checksum = std::stoull(line.substr(end));
    return calls;
}

/// Makes calls one after the other. Calls that begin during `warm_up` are not counted.
///
/// `call` makes one call and returns the size of its answer, or 0 if it failed.
/// Errors: if a call fails, this ends at once, and per_second is 0.
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

/// Counts calls of which many are outstanding: begin() and done() are called for each.
///
/// Thread: one at a time.
class Outstanding {
public:
    Outstanding(Duration warm_up, Duration measured)
        : start_(now() + warm_up), end_(start_ + measured) {}

    /// Counts a call that is done. Returns false if no further call must begin.
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
