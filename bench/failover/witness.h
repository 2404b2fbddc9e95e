#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "bench/harness/samples.h"
#include "understudy/understudy.h"

namespace understudy::bench {

/// The client of the failover benchmarks. It subscribes to a record and calls without end. It notes
/// when it first hears the next active member, and whether it hears a member that it should not.
///
/// One call is outstanding at any time, on a separate thread. Between answers it pauses a little,
/// so that the client itself is not what is measured.
class Witness {
public:
    struct Options {
        std::string registry;
        std::string family = "Bench";
        /// Calls may run twice: they are sent again when their outcome is unknown.
        bool repeatable = true;
        Duration rest = 200us;  ///< Between an answer and the next call.
    };

    [[nodiscard]] static Result<std::unique_ptr<Witness>> open(const Options& options);
    ~Witness();

    /// Waits until record and call both come from this member.
    [[nodiscard]] Result<void> wait_heard(std::string_view member, Duration limit = 10s);
    /// Waits until record and call come from the same member; returns its name.
    [[nodiscard]] Result<std::string> wait_agreed(Duration limit = 10s);

    /// From now on, the first member with a higher epoch than all before is the next one. Clears
    /// earlier notes.
    void watch();
    struct Noticed {
        TimePoint image;
        TimePoint answer;
    };
    /// When the next member was first heard. Errors: timed_out (none).
    [[nodiscard]] Result<Noticed> wait_next(Duration limit);

    /// How often a member with an epoch below a known one was heard since watch(). For the record,
    /// the epochs that it has brought are known. For a call, those that were heard before the call
    /// began are known, because it is not known when an outstanding call was answered.
    [[nodiscard]] std::uint64_t strays() const;
    [[nodiscard]] std::uint64_t answers() const { return answers_; }
    /// The number of calls that failed since watch(), and the last reason.
    [[nodiscard]] std::uint64_t failed() const;
    [[nodiscard]] std::string last_failure() const;
    /// The longest time between two answers since watch().
    [[nodiscard]] Duration longest_stall() const;

private:
    explicit Witness(const Options& options) : options_(options) {}
    void call_for_ever();
    void heard(Epoch epoch, Epoch known, TimePoint& first);

    const Options options_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Epoch highest_{};  // The highest heard so far.
    Epoch heard_by_record_{};
    Epoch before_{};  // The same at the time of watch().
    std::string image_from_;
    std::string answer_from_;
    TimePoint image_{};  // Zero: not yet.
    TimePoint answer_{};
    TimePoint answered_last_{};  // Or watch(), if that was later.
    Duration stall_{};
    std::uint64_t strays_ = 0;
    std::uint64_t failed_ = 0;
    std::string failure_;
    std::atomic<std::uint64_t> answers_ = 0;
    std::atomic<bool> ended_ = false;

    std::optional<Agent> agent_;
    std::optional<Proxy> proxy_;
    std::thread caller_;
};

}  // namespace understudy::bench
