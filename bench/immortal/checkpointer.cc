// What do the checkpoints of an immortal with a large state cost, and what do they delay?
//
// A server has an active copy, a standby and the checkpointer that the registry has designated. Its
// state is some hundred MiB in rows of 1 KiB. A client makes echoes of 1 KiB, each of which
// replaces a row, as fast as possible, while checkpoints are taken. Rounds of a second in which a
// checkpoint was being written are counted apart from the others. The times of the file, from its
// creation to its renaming, say when that was. The processor time of the copies is counted over
// whole cycles, from the end of one checkpoint to the end of another; then once more with one-way
// calls of 16 B.
// Bound by: the checkpointer packs the rows, in slices between calls, and writes them; a checkpoint
//   is as long as the state, and due when there were as many bytes of calls. There are two
//   processors, so the work of the checkpointer leaves less time for the calls.
// Estimate before it was run: 400 MB/s; processor time of the checkpointer twice that of the
//   standby for 1 KiB; calls half as fast meanwhile, the longest 20 ms.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "bench/harness/bench.h"
#include "bench/harness/process.h"
#include "bench/immortal/load.h"
#include "bench/immortal/pair.h"

namespace understudy::bench {

namespace {

constexpr std::size_t row_bytes = 1024;  // In the helper's state.
constexpr std::size_t small_bytes = 16;
constexpr double million = 1e6;

/// Two times of the clock that file times use.
struct Span {
    double begun = 0;
    double ended = 0;
};
[[nodiscard]] double stamp_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}
[[nodiscard]] bool meet(const Span& one, const Span& other) {
    return one.begun < other.ended && other.begun < one.ended;
}

struct Checkpoint {
    std::string file;
    Span span;
    std::uint64_t bytes = 0;
};

/// The checkpoints in a directory that hold the state, as far as they were seen.
class Checkpoints {
public:
    Checkpoints(std::string directory, std::uint64_t bytes_min)
        : directory_(std::move(directory)), bytes_min_(bytes_min) {}

    [[nodiscard]] const std::vector<Checkpoint>& look() {
        std::error_code gone;  // Files are created and removed while we look.
        for (std::filesystem::recursive_directory_iterator at(directory_, gone), end;
             !gone && at != end; at.increment(gone)) {
            if (at->path().extension() == ".ckpt") look_at(at->path());
        }
        return seen_;
    }

private:
    void look_at(const std::string& file) {
        struct statx facts {};
        if (::statx(AT_FDCWD, file.c_str(), 0, STATX_BASIC_STATS | STATX_BTIME, &facts) != 0) {
            return;
        }
        if ((facts.stx_mask & STATX_BTIME) == 0 || facts.stx_size < bytes_min_) return;
        const auto seconds = [](const statx_timestamp& time) {
            return static_cast<double>(time.tv_sec) + time.tv_nsec / 1e9;
        };
        const bool known = std::any_of(seen_.begin(), seen_.end(),
                                       [&](const Checkpoint& one) { return one.file == file; });
        if (known) return;
        seen_.push_back(
            {.file = file,
             .span = {.begun = seconds(facts.stx_btime), .ended = seconds(facts.stx_ctime)},
             .bytes = facts.stx_size});
    }

    const std::string directory_;
    const std::uint64_t bytes_min_;
    std::vector<Checkpoint> seen_;
};

/// The processor time of the server's copies.
struct Used {
    std::uint64_t calls = 0;
    double active = 0;
    double standby = 0;
    double checkpointer = 0;
};
Result<Used> used(ImmortalPair& pair) {
    return Used{.calls = US_TRY(pair.count()).calls,
                .active = US_TRY(processor_seconds(pair.server(Role::active).pid())),
                .standby = US_TRY(processor_seconds(pair.server(Role::standby).pid())),
                .checkpointer = US_TRY(processor_seconds(pair.server(Role::checkpointer).pid()))};
}

void report_used(Bench& bench, const std::string& name, const Used& before, const Used& after) {
    const auto calls = static_cast<double>(after.calls - before.calls) / million;
    const auto add = [&](const char* whose, double seconds) {
        bench.report.add({.what = name + ": processor time of the " + whose + " per million calls",
                          .amount = seconds / calls,
                          .unit = "s",
                          .configuration = {{"calls", after.calls - before.calls}}});
    };
    add("active", after.active - before.active);
    add("standby", after.standby - before.standby);
    add("checkpointer", after.checkpointer - before.checkpointer);
}

/// The echoes of all rounds of one kind.
struct Rounds {
    Samples latency;
    double per_second = 0;
    std::size_t count = 0;

    void add(const Calls& calls) {
        latency.add(calls.latency);
        per_second += (calls.per_second - per_second) / static_cast<double>(++count);
    }
};

class Measurement {
public:
    struct Options {
        ImmortalPair::Options pair;
        std::uint64_t state_mebibytes = 0;
        bool one_way = false;  ///< One-way calls too.
    };

    Measurement(Bench& bench, Options options, ImmortalPair& pair)
        : bench_(bench),
          options_(std::move(options)),
          pair_(pair),
          checkpoints_(pair.server_directory(Role::checkpointer),
                       options_.state_mebibytes * MiB / 2) {}

    Result<void> run() {
        pair_.server().tell("fill " + std::to_string(options_.state_mebibytes) + "\n");
        US_CHECK(pair_.server().line_with("filled", 5min));
        US_CHECK(pair_.push(row_bytes));
        US_CHECK(wait_for_checkpoint());
        US_CHECK(pair_.stop_and_compare());
        US_CHECK(echoes());
        if (options_.one_way) US_CHECK(one_way_calls());
        report_checkpoints();
        return {};
    }

private:
    struct Round {
        Span span;
        Calls calls;
    };

    [[nodiscard]] std::string name(const std::string& what) const {
        return options_.pair.name + ", state of " + std::to_string(options_.state_mebibytes) +
               " MiB" + (what.empty() ? "" : ", " + what);
    }

    Result<void> echoes() {
        const std::size_t window = bench_.outstanding(256);
        const std::size_t wanted = checkpoints_.look().size() + (bench_.tiny() ? 1 : 2);
        const Used before = US_TRY(used(pair_));
        std::vector<Round> rounds;
        for (const TimePoint deadline = now() + limit; checkpoints_.look().size() < wanted;) {
            if (now() > deadline) return too_slow();
            Round round{.span = {.begun = stamp_now()}, .calls = {}};
            round.calls = US_TRY(echo(pair_, "echo", row_bytes, window,
                                      {.warm_up = {}, .measured = bench_.span(1s)}));
            round.span.ended = stamp_now();
            rounds.push_back(std::move(round));
        }
        const std::string what =
            "echo, " + size_text(row_bytes) + ", " + std::to_string(window) + " outstanding";
        report_used(bench_, name(what), before, US_TRY(used(pair_)));
        report_rounds(what, rounds);
        return {};
    }

    void report_rounds(const std::string& what, const std::vector<Round>& rounds) {
        Rounds quiet;
        Rounds busy;
        for (const Round& round : rounds) {
            const auto& all = checkpoints_.look();
            const bool met = std::any_of(all.begin(), all.end(), [&](const Checkpoint& one) {
                return meet(one.span, round.span);
            });
            (met ? busy : quiet).add(round.calls);
        }
        if (quiet.count > 0) add_rounds(what + ", no checkpoint", quiet, {});
        if (busy.count > 0) {
            std::vector<Beside> beside;
            if (quiet.count > 0) beside = {{"without", busy.per_second / quiet.per_second}};
            add_rounds(what + ", while a checkpoint is taken", busy, std::move(beside));
        }
    }

    void add_rounds(const std::string& what, const Rounds& rounds, std::vector<Beside> beside) {
        bench_.report.add({.what = name(what),
                           .latency = rounds.latency,
                           .per_second = rounds.per_second,
                           .beside = std::move(beside),
                           .checksum = rounds.latency.count(),
                           .configuration = {{"rounds", rounds.count}}});
    }

    Result<void> one_way_calls() {
        US_CHECK(pair_.push(small_bytes));
        // The time runs from one checkpoint to the next.
        US_CHECK(wait_for_checkpoint());
        const Used before = US_TRY(used(pair_));
        US_CHECK(wait_for_checkpoint());
        const Used after = US_TRY(used(pair_));
        US_CHECK(pair_.stop_and_compare());
        report_used(bench_, name("one-way, " + size_text(small_bytes)), before, after);
        return {};
    }

    Result<void> wait_for_checkpoint() {
        const std::size_t wanted = checkpoints_.look().size() + 1;
        for (const TimePoint deadline = now() + limit; checkpoints_.look().size() < wanted;) {
            if (now() > deadline) return too_slow();
            std::this_thread::sleep_for(10ms);
        }
        return {};
    }

    void report_checkpoints() {
        double seconds = 0;
        double bytes = 0;
        for (const Checkpoint& one : checkpoints_.look()) {
            seconds += one.span.ended - one.span.begun;
            bytes += static_cast<double>(one.bytes);
        }
        const std::size_t count = checkpoints_.look().size();
        bench_.report.add({.what = name("a checkpoint"),
                           .amount = bytes / million / seconds,
                           .unit = "MB/s",
                           .configuration = {{"checkpoints", count},
                                             {"seconds", seconds / static_cast<double>(count)}}});
        const auto memory = [&](const char* whose, Role role) {
            bench_.report.add({.what = name(std::string("memory of the ") + whose + ", peak"),
                               .amount = peak_resident_mb(pair_.server(role).pid()) / 1000,
                               .unit = "GB"});
        };
        memory("standby", Role::standby);
        memory("checkpointer", Role::checkpointer);
    }

    [[nodiscard]] Error too_slow() const {
        return {.code = Errc::timed_out, .detail = name("") + ": no checkpoint within two minutes"};
    }

    static constexpr Duration limit = 2min;

    Bench& bench_;
    const Options options_;
    ImmortalPair& pair_;
    Checkpoints checkpoints_;
};

}  // namespace

Result<void> immortal_checkpointer(Bench& bench) {
    const std::vector<std::uint64_t> states =
        bench.tiny() ? std::vector<std::uint64_t>{4} : std::vector<std::uint64_t>{256, 1024};
    for (const std::string journal : {"shared", "group"}) {
        for (const std::uint64_t mebibytes : states) {
            const Measurement::Options options{
                .pair = {.name = journal == "shared" ? "shared directory" : "replicated, 3 nodes",
                         .journal = journal,
                         .standbys = 2,
                         .registry = true,
                         .checkpoint_every_bytes = bench.tiny() ? 4 * MiB : 64 * MiB},
                .state_mebibytes = mebibytes,
                .one_way = mebibytes == states.front()};
            ImmortalPair pair = US_TRY(ImmortalPair::start(bench, options.pair));
            US_CHECK(Measurement(bench, options, pair).run());
        }
    }
    return {};
}

}  // namespace understudy::bench
