#include "bench/immortal/pair.h"

#include <algorithm>
#include <sstream>
#include <thread>

#include "bench/harness/clock.h"
#include "bench/harness/process.h"
#include "platform/free_port.h"

namespace understudy::bench {

namespace {

[[nodiscard]] Result<std::vector<std::string>> addresses(std::size_t count) {
    std::vector<std::string> made;
    while (made.size() < count) {
        made.push_back("127.0.0.1:" + std::to_string(platform::free_port()));
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

[[nodiscard]] std::string last_word(const std::string& text) {
    return text.substr(text.rfind(' ') + 1);
}

}  // namespace

Result<ImmortalPair> ImmortalPair::start(const Bench& bench, const Options& options) {
    ImmortalPair pair(US_TRY(Place::make(bench.directory)));
    pair.journal_ = options.journal;
    const std::size_t copies = options.standbys + 1;
    pair.server_addresses_ = US_TRY(addresses(copies));
    pair.client_addresses_ = US_TRY(addresses(1));
    const std::vector<std::string> nodes = US_TRY(addresses(copies + 1));
    if (options.registry) pair.registry_ = US_TRY(RegistryProcess::start(bench, pair.place_));
    if (options.coordinator) US_CHECK(pair.start_coordinators(bench));
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
        Child::Options child{
            .command = {bench.helper("bench_immortal"), service, member_name(which), kind,
                        pair.place_ / own, listen, joined(pair.server_addresses_),
                        joined(pair.client_addresses_)},
            .errors_file = pair.place_ / (service + member_name(which) + ".log")};
        if (pair.registry_) {
            child.command.push_back(pair.registry_->address);
            child.command.push_back(std::to_string(options.checkpoint_every_bytes));
        }
        if (options.coordinator) child.command[3] = pair.beside_[service == "server" ? 0 : 1];
        return Child::start(child);
    };
    for (std::size_t i = 0; i < copies; ++i) {
        pair.servers_.push_back(
            US_TRY(start("server", i, journal(0, copies), pair.server_addresses_[i])));
        // The first is active, unless they hold an election.
        if (options.journal == "shared" && i == 0) {
            US_CHECK(pair.servers_[0].line_with("role active", answer_max));
            pair.roles_ = {"role active"};
        }
    }
    pair.client_.push_back(
        US_TRY(start("client", 0, journal(copies, 1), pair.client_addresses_[0])));
    US_CHECK(pair.client().line_with("role active", answer_max));
    if (options.registry) {
        US_CHECK(pair.wait_roles());
    } else if (options.journal != "shared") {
        US_CHECK(pair.wait_active());
    }
    return pair;
}

/// The lines of the coordinators end with the address for applications.
Result<void> ImmortalPair::start_coordinators(const Bench& bench) {
    const std::string peers =
        "server=" + server_addresses_[0] + ",client=" + client_addresses_[0];
    for (const std::string service : {"server", "client"}) {
        const std::string& listen =
            (service == "server" ? server_addresses_ : client_addresses_)[0];
        coordinators_.push_back(US_TRY(Child::start(
            {.command = {bench.program, "coordinator", "--instance", service, "--port",
                         listen.substr(listen.rfind(':') + 1), "--log", place_ / "journals",
                         "--journal", "local", "--peers", peers},
             .errors_file = place_ / (service + ".coordinator.log")})));
        beside_.push_back(
            "beside=" + last_word(US_TRY(coordinators_.back().line_with(service, answer_max))));
    }
    return {};
}

Result<void> ImmortalPair::wait_active() {
    const TimePoint deadline = now() + 20s;
    while (now() < deadline) {
        for (active_ = 0; active_ < servers_.size(); ++active_) {
            if (server().line_with("role active", 100ms)) return {};
        }
    }
    return Error{.code = Errc::timed_out, .detail = "no server is active"};
}

/// Waits until one is active, one is the checkpointer, and the others are standbys.
Result<void> ImmortalPair::wait_roles() {
    roles_.resize(servers_.size());
    const TimePoint deadline = now() + 30s;
    const auto are = [this](const char* role) {
        return std::count(roles_.begin(), roles_.end(), role);
    };
    while (now() < deadline) {
        for (std::size_t i = 0; i < servers_.size(); ++i) {
            while (const auto said = servers_[i].line_with("role ", 20ms)) {
                roles_[i] = said->substr(0, said->rfind(' '));
            }
        }
        const auto active = std::find(roles_.begin(), roles_.end(), "role active");
        if (active == roles_.end() || are("role checkpointer") != 1 ||
            are("role standby") + 2 != static_cast<std::ptrdiff_t>(roles_.size())) {
            continue;
        }
        active_ = static_cast<std::size_t>(active - roles_.begin());
        return {};
    }
    return Error{.code = Errc::timed_out,
                 .detail = "the servers are not what they should be: " + joined(roles_)};
}

Child& ImmortalPair::server(Role role) {
    const std::string wanted = "role " + std::string(understudy::name(role));
    const auto found = std::find(roles_.begin(), roles_.end(), wanted);
    US_ASSERT(found != roles_.end());
    return servers_[static_cast<std::size_t>(found - roles_.begin())];
}

std::string ImmortalPair::server_directory(Role role) const {
    if (journal_ == "shared") return place_ / "server";
    const std::string wanted = "role " + std::string(understudy::name(role));
    const auto found = std::find(roles_.begin(), roles_.end(), wanted);
    US_ASSERT(found != roles_.end());
    return place_ / ("server" + member_name(static_cast<std::size_t>(found - roles_.begin())));
}

Result<ImmortalPair::Count> ImmortalPair::count() {
    server().tell("count\n");
    const std::string said = US_TRY(server().line_with("counted ", answer_max));
    Count count;
    std::istringstream(said.substr(8)) >> count.calls >> count.nanoseconds;
    return count;
}

Result<void> ImmortalPair::push(std::size_t bytes) {
    counted_before_ = US_TRY(count()).calls;
    client().tell("push " + std::to_string(bytes) + "\n");
    return {};
}

Result<void> ImmortalPair::stop_and_compare() {
    client().tell("stop\n");
    const std::string said = US_TRY(client().line_with("stopped ", answer_max));
    const std::uint64_t pushed = std::stoull(said.substr(8));
    const TimePoint deadline = now() + 60s;
    std::uint64_t counted = 0;
    do {
        counted = US_TRY(count()).calls - counted_before_;
        if (counted == pushed) return {};
        std::this_thread::sleep_for(10ms);
    } while (counted < pushed && now() < deadline);
    return Error{.code = Errc::failed,
                 .detail = std::to_string(pushed) + " calls were made, " +
                           std::to_string(counted) + " were carried out"};
}

Result<ImmortalPair::Used> ImmortalPair::used() const {
    Used used{.server = US_TRY(processor_seconds(servers_[active_].pid())),
              .client = US_TRY(processor_seconds(client_.front().pid()))};
    if (!coordinators_.empty()) {
        used.server += US_TRY(processor_seconds(coordinators_[0].pid()));
        used.client += US_TRY(processor_seconds(coordinators_[1].pid()));
    }
    return used;
}

}  // namespace understudy::bench
