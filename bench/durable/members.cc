#include "bench/durable/members.h"

#include <csignal>

#include "bench/harness/clock.h"
#include "platform/free_port.h"

namespace understudy::bench {

namespace {

constexpr Duration limit = 20s;

}  // namespace

Result<JournalMembers> JournalMembers::start(const Bench& bench, const Journaled& journaled) {
    Place place = US_TRY(Place::make(bench.directory));
    JournalMembers all(std::move(place), bench.helper("bench_replica"), journaled);
    for (std::size_t i = 0; journaled.kind == "group" && i < journaled.members; ++i) {
        const std::uint16_t port = platform::free_port();
        all.nodes_ += (i == 0 ? "" : ",") + std::string(1, static_cast<char>('a' + i)) +
                      "=127.0.0.1:" + std::to_string(port);
    }
    for (std::size_t i = 0; i < journaled.members; ++i) {
        all.members_.push_back(US_TRY(all.start_member(i)));
    }
    const TimePoint give_up = now() + limit;
    while (now() < give_up) {
        for (all.active_ = 0; all.active_ < all.members_.size(); ++all.active_) {
            const auto answered = all.active().line_with("answered ", 100ms);
            if (answered) return all;
            if (answered.error().code != Errc::timed_out) return answered.error();
        }
    }
    return Error{.code = Errc::timed_out,
                 .detail = journaled.name + ": nobody became active; " +
                           last_lines(all.place_ / "errors")};
}

Result<Child> JournalMembers::start_member(std::size_t which) const {
    const std::string name(1, static_cast<char>('a' + which));
    std::vector<std::string> command{program_, journaled_.kind};
    if (journaled_.kind == "local") {
        command.push_back(place_ / "journal");
    } else if (journaled_.kind == "shared") {
        command.insert(command.end(), {place_ / "journal", name,
                                       std::to_string(journaled_.lease / 1ms)});
    } else {
        command.insert(command.end(), {place_ / name, name, nodes_});
    }
    return Child::start({.command = std::move(command), .errors_file = place_ / "errors"});
}

Result<Duration> JournalMembers::fail_over() {
    killed_ = active_;
    const TimePoint start = now();
    members_[killed_].signal(SIGKILL);
    for (;;) {
        for (std::size_t i = 0; i < members_.size(); ++i) {
            if (i == killed_) continue;
            const auto answered = members_[i].line_with("answered ", 1ms);
            if (answered) {
                const std::uint64_t when = std::stoull(answered->substr(9));
                const Duration took{static_cast<Duration::rep>(when - nanoseconds(start))};
                members_[killed_].kill();
                active_ = i;
                return took;
            }
            if (answered.error().code != Errc::timed_out) return answered.error();
        }
        if (now() - start > limit) return Error{.code = Errc::timed_out, .detail = "no failover"};
    }
}

Result<void> JournalMembers::bring_back() {
    members_[killed_] = US_TRY(start_member(killed_));
    US_CHECK(members_[killed_].line_with("opened ", limit));
    return {};
}

}  // namespace understudy::bench
