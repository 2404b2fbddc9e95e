#include "bench/immortal/pair.h"

#include <sstream>
#include <thread>

#include "bench/harness/clock.h"

namespace understudy::bench {

namespace {

[[nodiscard]] Result<std::vector<std::string>> addresses(std::size_t count) {
    std::vector<std::string> made;
    while (made.size() < count) {
        made.push_back("127.0.0.1:" + std::to_string(US_TRY(free_port())));
    }
    return made;
}

[[nodiscard]] std::string joined(const std::vector<std::string>& parts) {
    std::string list;
    for (const std::string& part : parts) list += (list.empty() ? "" : ",") + part;
    return list;
}

[[nodiscard]] std::string member_name(std::size_t which) {
    return std::string(1, static_cast<char>('A' + which));
}

}  // namespace

Result<ImmortalPair> ImmortalPair::start(const Bench& bench, const Options& options) {
    ImmortalPair pair(US_TRY(Place::make(bench.directory)));
    const std::size_t copies = options.standbys + 1;
    const std::vector<std::string> servers = US_TRY(addresses(copies));
    const std::vector<std::string> clients = US_TRY(addresses(1));
    const std::vector<std::string> nodes = US_TRY(addresses(copies + 1));
    const auto journal = [&](std::size_t from, std::size_t count) {
        if (options.journal != "group") return options.journal;
        std::vector<std::string> named;
        for (std::size_t i = 0; i < count; ++i) {
            named.push_back(member_name(i) + "=" + nodes[from + i]);
        }
        return joined(named);
    };
    const auto start = [&](const std::string& service, std::size_t which,
                           const std::string& kind, const std::string& listen) {
        const bool together = options.journal == "shared";
        const std::string own = service + (together ? "" : member_name(which));
        return Child::start({.command = {bench.helper("bench_immortal"), service,
                                         member_name(which), kind, pair.place_ / own, listen,
                                         joined(servers), joined(clients)},
                             .errors_file = pair.place_ / (service + member_name(which) + ".log")});
    };
    for (std::size_t i = 0; i < copies; ++i) {
        pair.servers_.push_back(US_TRY(start("server", i, journal(0, copies), servers[i])));
        // The first is active, unless they elect one.
        if (options.journal == "shared" && i == 0) {
            US_CHECK(pair.servers_[0].line_with("role active", 20s));
        }
    }
    pair.client_.push_back(US_TRY(start("client", 0, journal(copies, 1), clients[0])));
    US_CHECK(pair.client().line_with("role active", 20s));
    if (options.journal == "shared") return pair;
    const TimePoint deadline = now() + 20s;
    while (now() < deadline) {
        for (pair.active_ = 0; pair.active_ < copies; ++pair.active_) {
            if (pair.server().line_with("role active", 100ms)) return pair;
        }
    }
    return Error{.code = Errc::timed_out, .detail = "no server is active"};
}

Result<ImmortalPair::Count> ImmortalPair::count() {
    server().tell("count\n");
    const std::string said = US_TRY(server().line_with("counted ", 20s));
    Count count;
    std::istringstream(said.substr(8)) >> count.calls >> count.nanoseconds;
    return count;
}

Result<void> ImmortalPair::stop_and_compare() {
    client().tell("stop\n");
    const std::string said = US_TRY(client().line_with("stopped ", 60s));
    const std::uint64_t pushed = std::stoull(said.substr(8));
    const TimePoint deadline = now() + 60s;
    Count counted;
    do {
        counted = US_TRY(count());
        if (counted.calls == pushed) return {};
        std::this_thread::sleep_for(10ms);
    } while (counted.calls < pushed && now() < deadline);
    return Error{.code = Errc::failed,
                 .detail = std::to_string(pushed) + " calls were made, " +
                           std::to_string(counted.calls) + " were carried out"};
}

}  // namespace understudy::bench
