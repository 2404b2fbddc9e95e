#include "apps/demo/hello.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "apps/demo/parts.h"
#include "apps/view/quantity.h"
#include "wire/json.h"

namespace understudy::apps::demo {

using wire::Dynamic;

namespace {


[[nodiscard]] Dynamic::Map spread_json(const std::vector<std::uint64_t>& sorted) {
    return {{"min", percentile(sorted, 0)},
            {"p50", percentile(sorted, 50)},
            {"max", percentile(sorted, 100)}};
}

}  // namespace

Hello::Hello(const PlayOptions& options, std::string directory)
    : options_(options),
      directory_(std::move(directory)),
      columns_({{"Registry", 22}, {"Foo:Bar1", 8}, {"Foo:Bar2", 8}, {"Client", 23}}, options.paint),
      processes_({"Registry", "Foo:Bar1", "Foo:Bar2", "Client"}, directory_,
                 [this](const Line& line) {
                     const auto milliseconds = microseconds(line.at - begun_) / 1000;
                     show(columns_.line(milliseconds, line.actor, line.text));
                 }) {}

void Hello::show(const std::string& text) const { demo::show(options_, text); }

void Hello::act(const std::string& text) const { demo::act(options_, columns_, text); }

std::string Hello::member_name(Actor member) { return member == bar1 ? "Bar1" : "Bar2"; }

std::string Hello::message_of(Actor member) const {
    return fmt::format("Hello World (from {})", member_name(member));
}

Result<void> Hello::play() {
    show(columns_.header());
    US_CHECK(raise_curtain());
    for (std::uint64_t round = 0; round < options_.rounds; ++round) {
        const Actor victim = active_;
        US_CHECK(kill_active());
        US_CHECK(bring_back(victim));
    }
    US_CHECK(switch_over());
    return end();
}

Result<void> Hello::raise_curtain() {
    address_ = US_TRY(start_registry(processes_, registry, directory_, "HelloWorld"));

    US_CHECK(start_member(bar1));
    (void)US_TRY(processes_.expect({{bar1, "MASTER"}}, step_limit));
    US_CHECK(start_member(bar2));
    (void)US_TRY(processes_.expect({{bar2, "STANDBY"}}, step_limit));
    US_CHECK(processes_.start(client, {"demo-client", "--registry", address_}));
    (void)US_TRY(processes_.expect({{client, message_of(bar1)}}, step_limit));
    return {};
}

Result<void> Hello::start_member(Actor member) {
    return processes_.start(
        member, {"demo-member", "--registry", address_, "--member", member_name(member)});
}

Result<void> Hello::kill_active() {
    const Actor victim = active_;
    const Actor successor = other();
    act(fmt::format("kill -9 {} (Foo:{})", processes_.child(victim).pid(), member_name(victim)));
    const auto killed = processes_.stop(victim, SIGKILL);
    const auto seen = US_TRY(
        processes_.expect({{successor, "MASTER"}, {client, message_of(successor)}}, step_limit));

    Round round{.killed = member_name(victim), .successor = member_name(successor)};
    round.failover_us = microseconds(seen.at(client).at - killed);
    const auto lost = processes_.noted(client, "lost", killed);
    const auto found = processes_.noted(client, "found", killed);
    if (!found) return unexpected("the client did not record its message");
    round.client_us = microseconds(*found - std::min(lost.value_or(killed), *found));
    rounds_.push_back(round);
    active_ = successor;
    act(
        fmt::format("failover: {} from just before kill() to the client's line; the client itself "
                    "had no member for {}",
                    humane_us(round.failover_us), humane_us(round.client_us)));
    return {};
}

Result<void> Hello::bring_back(Actor victim) {
    act(fmt::format("start Foo:{} again", member_name(victim)));
    US_CHECK(start_member(victim));
    (void)US_TRY(processes_.expect({{victim, "STANDBY"}}, step_limit));
    if (rounds_.size() > 1) return {};

    const std::vector<std::string> command{"service", "show", family, "--registry", address_};
    auto with_json = command;
    with_json.push_back("--json");
    const auto json = US_TRY(wire::parse_json(US_TRY(processes_.run(with_json, step_limit))));
    const Dynamic::Map* service = json.as<Dynamic::Map>();
    const auto members = service == nullptr ? nullptr : &service->at("members");
    const Dynamic::Map* last = members == nullptr || members->as<Dynamic::Array>()->empty()
                                   ? nullptr
                                   : members->as<Dynamic::Array>()->back().as<Dynamic::Map>();
    if (last == nullptr || last->at("member") != Dynamic(member_name(victim)) ||
        last->at("role") != Dynamic("standby")) {
        return unexpected("the member that came back is not last in line");
    }
    act(fmt::format("understudy service show {}: a member that comes back is last in line",
                    family));
    show(US_TRY(processes_.run(command, step_limit)));
    return {};
}

Result<void> Hello::switch_over() {
    const Actor from = active_;
    const Actor to = other();
    act(fmt::format("understudy service switchover {}", family));
    const auto asked = Clock::now();
    const std::string output = US_TRY(
        processes_.run({"service", "switchover", family, "--registry", address_}, step_limit));
    (void)US_TRY(processes_.expect({{from, "STANDBY"}, {to, "MASTER"}, {client, message_of(to)}},
                                   step_limit));
    active_ = to;
    const auto lost = processes_.noted(client, "lost", asked);
    const auto found = processes_.noted(client, "found", asked);
    switchover_us_ = microseconds(Clock::now() - asked);
    switchover_client_us_ = lost && found ? microseconds(*found - std::min(*lost, *found)) : 0;
    show(output);
    act(fmt::format("switchover: the client itself had no member for {}",
                    humane_us(switchover_client_us_)));
    return {};
}

Result<void> Hello::end() {
    act("the end: all processes are stopped");
    US_CHECK(end_all(processes_, {client, bar1, bar2}, registry));
    const auto failover = sorted(rounds_, &Round::failover_us);
    if (rounds_.size() > 1) {
        show(fmt::format("{} kills: failover min {}, p50 {}, max {}\n", rounds_.size(),
                         humane_us(percentile(failover, 0)), humane_us(percentile(failover, 50)),
                         humane_us(percentile(failover, 100))));
    }
    return {};
}

Dynamic::Map Hello::summary_json() const {
    Dynamic::Array rounds;
    for (const Round& round : rounds_) {
        rounds.emplace_back(Dynamic::Map{{"killed", round.killed},
                                         {"successor", round.successor},
                                         {"failover_us", round.failover_us},
                                         {"client_us", round.client_us}});
    }
    Dynamic::Map json{{"rounds", std::move(rounds)},
                      {"failover_us", spread_json(sorted(rounds_, &Round::failover_us))},
                      {"client_us", spread_json(sorted(rounds_, &Round::client_us))},
                      {"switchover", Dynamic()}};
    if (switchover_us_) {
        json["switchover"] = Dynamic::Map{{"took_us", *switchover_us_},
                                          {"client_us", switchover_client_us_}};
    }
    return json;
}

std::string Hello::errors() const {
    return errors_of(processes_, {"Registry", "Foo:Bar1", "Foo:Bar2", "Client"});
}

}  // namespace understudy::apps::demo
