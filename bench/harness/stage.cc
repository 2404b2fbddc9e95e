#include "bench/harness/stage.h"

#include <cstdio>
#include <utility>

namespace understudy::bench {

Result<RegistryProcess> RegistryProcess::start(const Bench& bench, const Place& place,
                                               const std::string& host, int network) {
    constexpr std::string_view ready = "registry ready on ";
    std::vector<std::string> command = {bench.program, "registry", "--listen", host + ":0",
                                        "--data",      place / "registry"};
    if (host != "127.0.0.1") command.emplace_back("--insecure");
    Child process = US_TRY(Child::start({.command = std::move(command),
                                         .errors_file = place / "registry.errors",
                                         .network = network}));
    const std::string said = US_TRY(process.line_with(ready, answer_max)).substr(ready.size());
    return RegistryProcess{.process = std::move(process),
                           .address = said.substr(0, said.find(','))};
}

Result<MemberProcess> MemberProcess::start(const Bench& bench, const Place& place,
                                           std::string_view registry, Options options) {
    const auto in_ms = [](Duration time) {
        return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
    };
    Child child = US_TRY(Child::start(
        {.command = {bench.helper("bench_member"), std::string(registry), options.family,
                     options.member, in_ms(options.lease), in_ms(options.tick), options.host},
         .errors_file = place / (options.member + ".errors"),
         .network = options.network}));
    return MemberProcess(std::move(options), std::move(child));
}

Result<void> MemberProcess::wait_role(Role role, Duration limit) {
    (void)US_TRY(child_.line_with("role " + std::string(understudy::name(role)), limit));
    return {};
}

Result<Stage> Stage::set(const Bench& bench, const Options& options) {
    Place place = US_TRY(Place::make(bench.directory));
    RegistryProcess registry = US_TRY(
        RegistryProcess::start(bench, place, options.registry_host, options.registry_network));
    Stage stage(std::move(place), std::move(registry));

    for (std::size_t i = 0; i < options.members.size(); ++i) {
        MemberProcess::Options member = options.members[i];
        member.lease = options.lease;
        stage.members_.push_back(
            US_TRY(MemberProcess::start(bench, stage.place_, stage.registry(), std::move(member))));
        auto there = stage.members_.back().wait_role(i == 0 ? Role::active : Role::standby);
        if (!there) {
            for (const char* const who : {"registry.errors", "A.errors", "B.errors"}) {
                std::fprintf(stderr, "%s: %s\n", who, last_lines(stage.place_ / who).c_str());
            }
            return std::move(there).error();
        }
    }
    return stage;
}

Result<void> Stage::restart(const Bench& bench, std::size_t member) {
    MemberProcess& gone = members_[member];
    gone = US_TRY(MemberProcess::start(bench, place_, registry(), gone.options()));
    return gone.wait_role(Role::standby);
}

}  // namespace understudy::bench
