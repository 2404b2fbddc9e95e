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

/// The client of the failover benchmarks: subscribes to a record and calls without end, notes when
/// it first hears the next active member, and who is heard that should not be.
///
/// One call is outstanding at any time, by a thread of its own; between answers it rests a little,
/// so that the client is not what is measured.
class Witness {
public:
    struct Options {
        std::string registry;
        std::string family = "Bench";
        /// Calls may run twice: sent again when their outcome is unknown.
        bool repeatable = true;
        Duration rest = 200us;  ///< Between an answer and the next call.
    };

    [[nodiscard]] static Result<std::unique_ptr<Witness>> open(const Options& options);
    ~Witness();

    /// Waits until this member is the one that is heard, by record and by call.
    [[nodiscard]] Result<void> wait_heard(std::string_view member, Duration limit = 10s);
    /// Waits until record and call are of the same member: its name.
    [[nodiscard]] Result<std::string> wait_agreed(Duration limit = 10s);

    /// From now on: whoever has a higher epoch than all before is the next one. Clears what was
    /// noted.
    void watch();
    struct Noticed {
        TimePoint image;
        TimePoint answer;
    };
    /// When the next one was first heard. Errors: timed_out (none).
    [[nodiscard]] Result<Noticed> wait_next(Duration limit);

    /// How often somebody was heard whose epoch is below one known, since watch(). Known is, to the
    /// record, what it has brought; to a call, what was heard before the call began: of one that
    /// was outstanding then, nobody can say whether it was answered before.
    [[nodiscard]] std::uint64_t strays() const;
    [[nodiscard]] std::uint64_t answers() const { return answers_; }
    /// Calls that failed since watch(), and the last reason.
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
    Epoch highest_{};  // Heard so far.
    Epoch heard_by_record_{};
    Epoch before_{};  // The same at the time of watch().
    std::string image_from_;
    std::string answer_from_;
    TimePoint image_{};  // Epoch of the clock: not yet.
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
