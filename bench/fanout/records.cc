// How many changes of a record per second reach each of 1 and of 100 subscribers, without
// coalescing?
//
// This process publishes. The subscribers have a connection each and are in separate processes
// (one, or four with 25 each; all of a process are on one loop, with their listeners). A change has
// 100 bytes of text. Acknowledgements go through shared memory and are not measured. In turn: a
// change is published when all have received the one before. Saturated: a change is published when
// no subscriber lacks more changes than a window (1,000 with one, 100 with 100), so that nothing is
// coalesced; the benchmark fails if a number is missing. For comparison, opaque messages of 100
// bytes over mosquitto (QoS 0) and Redis (pub/sub) with the same window.
// Bound by: in turn, wake-ups: publisher, loop, subscriber's loop: 2 of 22 us; with 100, a send and
//   a receive each, 5 us. Saturated: the two processors. Encode once, one copy per subscriber into
//   its socket, decode.
// Estimate before it was run: in turn p50 50 us with 1, 600 us with 100; saturated 1.5 M/s with 1,
//   4 M/s with 100.
// Target: 1.5 M/s and 4 M/s delivered.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/prctl.h>

#include "bench/fanout/board.h"
#include "bench/fanout/message.h"
#include "bench/fanout/subscriber.h"
#include "bench/fanout/system.h"
#include "bench/harness/bench.h"
#include "bench/harness/child.h"
#include "bench/harness/clock.h"
#include "bench/harness/place.h"

namespace understudy::bench {

namespace {

struct Shape {
    std::size_t subscribers;
    std::size_t processes;
    std::uint64_t window;
    double target;  ///< Deliveries per second, saturated.
};

constexpr Shape shapes[] = {{1, 1, 1000, 1.5e6}, {100, 4, 100, 4e6}};
constexpr Duration patience = 20s;

/// A system with its subscribers, and the numbers that went through it.
class Fanout {
public:
    [[nodiscard]] static Result<std::unique_ptr<Fanout>> start(const Bench& bench,
                                                               SystemStart start_system,
                                                               const Shape& shape);

    /// Runs one phase. Returns deliveries per second.
    [[nodiscard]] Result<double> in_turn(Duration span);
    [[nodiscard]] Result<double> saturated(Duration span, Phase phase);

    /// Ends the subscribers and returns what they measured. Errors: failed: something was lost.
    struct Measured {
        Samples in_turn;
        Samples saturated;
        std::uint64_t checksum;
    };
    [[nodiscard]] Result<Measured> end();

private:
    Fanout(const Shape& shape, Place place, Board board)
        : shape_(shape), place_(std::move(place)), board_(std::move(board)) {}

    [[nodiscard]] Result<void> publish();
    [[nodiscard]] Result<void> wait_received();
    [[nodiscard]] double rate(std::uint64_t first, TimePoint start) const {
        return static_cast<double>((number_ - first) * shape_.subscribers) /
               in_seconds(now() - start);
    }

    const Shape shape_;
    Place place_;
    Board board_;
    std::unique_ptr<System> system_;
    std::vector<Child> processes_;
    Message message_;
    std::uint64_t number_ = 0;
};

Result<std::unique_ptr<Fanout>> Fanout::start(const Bench& bench, SystemStart start_system,
                                              const Shape& shape) {
    Place place = US_TRY(Place::make(bench.directory));
    Board board = US_TRY(Board::make(place / "board", shape.subscribers));
    std::unique_ptr<Fanout> fanout(new Fanout(shape, std::move(place), std::move(board)));
    fanout->system_ = US_TRY(start_system(bench, fanout->place_));
    const std::size_t each = shape.subscribers / shape.processes;
    for (std::size_t i = 0; i < shape.processes; ++i) {
        fanout->processes_.push_back(US_TRY(
            Child::start({.command = {bench.helper("bench_subscribers"), fanout->system_->name(),
                                      fanout->system_->address(), fanout->place_ / "board",
                                      std::to_string(i * each), std::to_string(each),
                                      fanout->place_ / ("samples" + std::to_string(i))},
                          .errors_file = fanout->place_ / "errors"})));
    }
    const TimePoint limit = now() + patience;
    while (fanout->board_.ready() < shape.subscribers) {
        if (now() > limit) {
            return Error{.code = Errc::timed_out,
                         .detail = std::to_string(fanout->board_.ready()) + " of " +
                                   std::to_string(shape.subscribers) + " subscribers came; " +
                                   last_lines(fanout->place_ / "errors")};
        }
        pause_for(1ms);
    }
    return fanout;
}

Result<void> Fanout::publish() {
    ++number_;
    return system_->publish(message_.write(number_, nanoseconds(now())));
}

Result<void> Fanout::wait_received() {
    US_CHECK(system_->flush());
    const TimePoint limit = now() + patience;
    while (board_.received_by_all() < number_) {
        if (now() > limit) {
            return Error{.code = Errc::timed_out,
                         .detail = system_->name() + ": " + std::to_string(number_) +
                                   " were published, the slowest subscriber has " +
                                   std::to_string(board_.received_by_all())};
        }
        pause_for(50us);
    }
    return {};
}

Result<double> Fanout::in_turn(Duration span) {
    board_.set_phase(Phase::in_turn);
    const std::uint64_t first = number_;
    const TimePoint start = now();
    while (now() - start < span) {
        board_.expect_all();
        US_CHECK(publish());
        US_CHECK(system_->flush());
        if (!board_.wait_all(patience)) {
            return Error{.code = Errc::timed_out, .detail = system_->name() + ": a change is lost"};
        }
    }
    return rate(first, start);
}

Result<double> Fanout::saturated(Duration span, Phase phase) {
    constexpr std::uint64_t clock_every = 64;
    board_.set_phase(phase);
    const std::uint64_t first = number_;
    std::uint64_t received = number_;
    const TimePoint start = now();
    while (number_ % clock_every != 0 || now() - start < span) {
        if (number_ - received >= shape_.window) {
            received = board_.received_by_all();
            if (number_ - received >= shape_.window) {
                US_CHECK(system_->flush());
                pause_for(20us);
                if (now() - start > span + patience) {
                    return Error{.code = Errc::timed_out,
                                 .detail = system_->name() + ": a subscriber stands still"};
                }
                continue;
            }
        }
        US_CHECK(publish());
    }
    US_CHECK(wait_received());
    const double reached = rate(first, start);
    board_.set_phase(Phase::settling);
    return reached;
}

Result<Fanout::Measured> Fanout::end() {
    Measured measured{};
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        processes_[i].end_input();
        if (processes_[i].wait(patience) != 0) {
            return Error{.code = Errc::failed,
                         .detail = "a subscriber process failed: " + last_lines(place_ / "errors")};
        }
        const std::string file = place_ / ("samples" + std::to_string(i));
        measured.in_turn.add(US_TRY(Samples::read(file + ".1")));
        measured.saturated.add(US_TRY(Samples::read(file + ".2")));
    }
    measured.checksum = board_.checksum();
    if (board_.lost() > 0) {
        return Error{.code = Errc::failed,
                     .detail = system_->name() + " lost or coalesced " +
                               std::to_string(board_.lost()) + " changes"};
    }
    return measured;
}

struct Figures {
    Samples in_turn_latency;
    Samples saturated_latency;
    double in_turn = 0;
    double saturated = 0;
    std::uint64_t checksum = 0;
};

Result<Figures> measure(Bench& bench, SystemStart start_system, const Shape& shape) {
    const auto fanout = US_TRY(Fanout::start(bench, start_system, shape));
    // The publisher's pauses must end on time; its servers and agents keep the usual slack.
    ::prctl(PR_SET_TIMERSLACK, 1000);
    (void)US_TRY(fanout->saturated(bench.span(300ms), Phase::settling));  // Warms up.
    Figures found;
    found.in_turn = US_TRY(fanout->in_turn(bench.span(1500ms)));
    found.saturated = US_TRY(fanout->saturated(bench.span(2s), Phase::saturated));
    ::prctl(PR_SET_TIMERSLACK, 0);  // Back to the default.
    auto measured = US_TRY(fanout->end());
    found.in_turn_latency = std::move(measured.in_turn);
    found.saturated_latency = std::move(measured.saturated);
    found.checksum = measured.checksum;
    return found;
}

struct Named {
    std::string name;
    Figures result;
};

void report(Bench& bench, const Shape& shape, const Named& one, const std::vector<Named>& peers) {
    const auto row = [&](const std::string& how, double Figures::*rate, Samples Figures::*latency,
                         std::uint64_t window) {
        Row found{.what = one.name + ", " + std::to_string(shape.subscribers) + " subscriber" +
                          (shape.subscribers == 1 ? "" : "s") + ", " + how,
                  .latency = one.result.*latency,
                  .per_second = one.result.*rate,
                  .checksum = one.result.checksum,
                  .configuration = {{"subscribers", shape.subscribers},
                                    {"processes", shape.processes},
                                    {"window", window},
                                    {"subscriber_threads", std::string("one loop per process")},
                                    {"message_bytes", Message::size},
                                    {"coalesced", 0}}};
        for (const Named& peer : peers) {
            found.beside.push_back({peer.name, one.result.*rate / (peer.result.*rate)});
        }
        return found;
    };
    bench.report.add(row("in turn", &Figures::in_turn, &Figures::in_turn_latency, 1));
    Row full = row("saturated", &Figures::saturated, &Figures::saturated_latency, shape.window);
    if (one.name == "records") full.target.per_second = shape.target;
    bench.report.add(std::move(full));
}

struct Peer {
    const char* name;
    SystemStart start;  ///< Null: not in this build.
    const char* missing;
};

constexpr Peer peers[] = {
#ifdef BENCH_MOSQUITTO
    {"mosquitto", start_mosquitto, "apt-get install mosquitto"},
#else
    {"mosquitto", nullptr, "not built in: apt-get install mosquitto libmosquitto-dev"},
#endif
#ifdef BENCH_REDIS
    {"redis", start_redis, "apt-get install redis-server"},
#else
    {"redis", nullptr, "not built in: apt-get install redis-server libhiredis-dev"},
#endif
};

}  // namespace

Result<void> records(Bench& bench) {
    for (const Shape& shape : shapes) {
        std::vector<Named> others;
        for (const Peer& peer : peers) {
            if (!bench.with_peers) break;
            if (peer.start == nullptr) {
                bench.report.skip(peer.name, peer.missing);
                continue;
            }
            auto found = measure(bench, peer.start, shape);
            if (!found) {
                bench.report.skip(peer.name, to_string(found.error()) + " (" + peer.missing + ")");
                continue;
            }
            others.push_back({peer.name, *std::move(found)});
            report(bench, shape, others.back(), {});
        }
        report(bench, shape, {"records", US_TRY(measure(bench, start_understudy, shape))}, others);
    }
    return {};
}

}  // namespace understudy::bench
