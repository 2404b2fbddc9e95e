// bench_subscribers SYSTEM ADDRESS BOARD FIRST COUNT SAMPLES: COUNT subscribers of the fan-out
// benchmark in one process.
//
// Acknowledges on the board; when its standard input ends, writes the times of each phase to
// SAMPLES.1 and SAMPLES.2.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include <signal.h>

#include "bench/fanout/subscriber.h"

namespace understudy::bench {

namespace {

Result<void> subscribe(std::string_view system, const SubscriberOptions& options,
                       Subscribers& subscribers) {
    if (system == "understudy") return subscribe_understudy(options, subscribers);
#ifdef BENCH_REDIS
    if (system == "redis") return subscribe_redis(options, subscribers);
#endif
#ifdef BENCH_MOSQUITTO
    if (system == "mosquitto") return subscribe_mosquitto(options, subscribers);
#endif
    return Error{.code = Errc::bad_config, .detail = std::string(system) + " is not built in"};
}

Result<void> run(std::string_view system, const SubscriberOptions& options,
                 const std::string& board_file, const std::string& samples_file) {
    const Board board = US_TRY(Board::open(board_file));
    Subscribers subscribers;
    for (std::size_t i = 0; i < options.count; ++i) {
        subscribers.push_back(std::make_unique<Subscriber>(board, options.first + i));
    }
    US_CHECK(subscribe(system, options, subscribers));
    for (const Phase phase : {Phase::in_turn, Phase::saturated}) {
        Samples all;
        for (const auto& subscriber : subscribers) all.add(subscriber->samples(phase));
        US_CHECK(all.write(samples_file + "." + std::to_string(static_cast<int>(phase))));
    }
    return {};
}

}  // namespace

}  // namespace understudy::bench

int main(int count, char** arguments) {
    using namespace understudy;
    if (count != 7) {
        std::fputs("usage: bench_subscribers SYSTEM ADDRESS BOARD FIRST COUNT SAMPLES\n", stderr);
        return 2;
    }
    ::signal(SIGPIPE, SIG_IGN);
    const auto number = [&](int which) { return std::strtoul(arguments[which], nullptr, 10); };
    const auto ended =
        bench::run(arguments[1], {.address = arguments[2], .first = number(4), .count = number(5)},
                   arguments[3], arguments[6]);
    if (ended) return 0;
    std::fprintf(stderr, "bench_subscribers: %s\n", to_string(ended.error()).c_str());
    return 1;
}
