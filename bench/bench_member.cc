// bench_member REGISTRY FAMILY MEMBER LEASE_MS TICK_MS HOST: one member of a service, for the
// benchmarks.
//
// Prints "role ROLE" on its standard output when its role changes. Ends with its standard input.
//   record "state"                 its publisher, and a count that grows every TICK_MS (0: never)
//   call "who"                     the member's name and its epoch
//   calls "echo", "echo_on_loop"   return their arguments, on either thread

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "understudy/understudy.h"

namespace understudy::bench {

namespace {

Result<CallResult> echo(const Arguments& arguments) {
    const auto data = arguments.text("data");
    if (!data) return Error{.code = Errc::bad_config, .detail = "no data"};
    return CallResult(Value(*data));
}

Result<void> act(const AgentOptions& where, const ServiceOptions& options, int tick_ms) {
    Agent agent = US_TRY(Agent::open(where));
    Service service = US_TRY(agent.create_service(options));
    Record state = US_TRY(service.record("state"));
    US_CHECK(state.put("member", options.member));
    US_CHECK(state.put("count", 0));
    US_CHECK(service.publish(state));
    US_CHECK(service.publish_rpc("who", [service](const Arguments&) {
        const std::string who = service.member() + " " + std::to_string(service.epoch().value);
        return Result<CallResult>(CallResult(Value(who)));
    }));
    US_CHECK(service.publish_rpc("echo", echo));
    US_CHECK(service.publish_rpc("echo_on_loop", echo, RunOn::loop_thread));
    service.on_refused(
        [](const Error& error) { std::printf("refused %s\n", to_string(error).c_str()); });
    service.on_role([](const RoleChange& change) {
        std::printf("role %s %llu\n", std::string(name(change.role)).c_str(),
                    static_cast<unsigned long long>(change.epoch.value));
    });

    for (std::int64_t count = 1;; ++count) {
        pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
        if (::poll(&input, 1, tick_ms > 0 ? tick_ms : -1) > 0) return {};
        US_CHECK(state.put("count", count));
        US_CHECK(service.publish(state));
    }
}

}  // namespace

}  // namespace understudy::bench

int main(int count, char** arguments) {
    using namespace understudy;
    if (count != 7) {
        std::fputs("usage: bench_member REGISTRY FAMILY MEMBER LEASE_MS TICK_MS HOST\n", stderr);
        return 2;
    }
    ::signal(SIGPIPE, SIG_IGN);
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    const std::string host = arguments[6];
    const auto ended =
        bench::act({.name = std::string("bench-") + arguments[3] + "-" + std::to_string(::getpid()),
                    .registry = {arguments[1]},
                    .listen = host + ":0",
                    .insecure = host != "127.0.0.1"},
                   {.family = arguments[2],
                    .member = arguments[3],
                    .lease = std::chrono::milliseconds(std::atol(arguments[4]))},
                   std::atoi(arguments[5]));
    if (ended) return 0;
    std::fprintf(stderr, "bench_member: %s\n", to_string(ended.error()).c_str());
    return 1;
}
