#include "bench/harness/stage.h"

#include <cstdio>
#include <utility>

namespace understudy::bench {

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
    std::vector<std::string> command = {bench.program, "registry",
                                        "--listen",    options.registry_host + ":0",
                                        "--data",      place / "registry"};
    if (options.registry_host != "127.0.0.1") command.emplace_back("--insecure");
    Child registry = US_TRY(Child::start({.command = std::move(command),
                                          .errors_file = place / "registry.errors",
                                          .network = options.registry_network}));
    const std::string ready = US_TRY(registry.line_with("registry ready on ", 10s));
    Stage stage(std::move(place), std::move(registry));
    const auto address =
        std::string_view(ready).substr(std::string_view("registry ready on ").size());
    stage.registry_ = address.substr(0, address.find(','));

    for (std::size_t i = 0; i < options.members.size(); ++i) {
        MemberProcess::Options member = options.members[i];
        member.lease = options.lease;
        stage.members_.push_back(
            US_TRY(MemberProcess::start(bench, stage.place_, stage.registry_, std::move(member))));
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
    gone = US_TRY(MemberProcess::start(bench, place_, registry_, gone.options()));
    return gone.wait_role(Role::standby);
}

}  // namespace understudy::bench
