#include "apps/demo/hello.h"

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "apps/demo/parts.h"
#include "apps/quantity.h"
#include "wire/json.h"

namespace understudy::apps::demo {

using wire::Dynamic;

namespace {

constexpr Duration step_limit = 20s;
constexpr std::string_view ready_begin = "registry ready on ";

[[nodiscard]] std::uint64_t microseconds(Clock::duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

struct Spread {
    std::uint64_t min = 0;
    std::uint64_t p50 = 0;
    std::uint64_t max = 0;
};

[[nodiscard]] Spread spread(const std::vector<Hello::Round>& rounds,
                            std::uint64_t Hello::Round::* figure) {
    std::vector<std::uint64_t> sorted;
    for (const Hello::Round& round : rounds) sorted.push_back(round.*figure);
    std::sort(sorted.begin(), sorted.end());
    if (sorted.empty()) return {};
    return {sorted.front(), sorted[(sorted.size() - 1) / 2], sorted.back()};
}

[[nodiscard]] Dynamic::Map spread_json(const Spread& spread) {
    return {{"min", spread.min}, {"p50", spread.p50}, {"max", spread.max}};
}

[[nodiscard]] Error unexpected(std::string detail) {
    return {.code = Errc::failed, .detail = std::move(detail)};
}

}  // namespace

Hello::Hello(const Options& options, std::string directory)
    : options_(options),
      directory_(std::move(directory)),
      columns_({{"Registry", 22}, {"Foo:Bar1", 8}, {"Foo:Bar2", 8}, {"Client", 23}},
               options.paint),
      troupe_({"Registry", "Foo:Bar1", "Foo:Bar2", "Client"}, directory_, [this](const Line& line) {
          const auto milliseconds = microseconds(line.at - begun_) / 1000;
          show(columns_.line(milliseconds, line.actor, line.text));
      }) {}

void Hello::show(const std::string& text) const {
    if (options_.summary_only) {
        (void)std::fputs(text.c_str(), stderr);
    } else {
        print(text);
    }
}

void Hello::act(const std::string& text) const {
    // A signal ends the pause; the next wait notices.
    if (options_.pause > Duration::zero()) {
        (void)::poll(nullptr, 0, static_cast<int>(options_.pause / 1ms));
    }
    show(columns_.act(text));
}

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
    US_CHECK(troupe_.start(registry, {"registry", "--listen", "127.0.0.1:0", "--data",
                                      directory_ + "/registry", "--platform", "HelloWorld"}));
    const Line ready = US_TRY(troupe_.next_line(registry, step_limit));
    const std::size_t end = ready.text.find(',');
    if (!ready.text.starts_with(ready_begin) || end == std::string::npos) {
        return unexpected(fmt::format("the registry printed \"{}\"", ready.text));
    }
    address_ = ready.text.substr(ready_begin.size(), end - ready_begin.size());

    US_CHECK(start_member(bar1));
    (void)US_TRY(troupe_.expect({{bar1, "MASTER"}}, step_limit));
    US_CHECK(start_member(bar2));
    (void)US_TRY(troupe_.expect({{bar2, "STANDBY"}}, step_limit));
    US_CHECK(troupe_.start(client, {"demo-client", "--registry", address_}));
    (void)US_TRY(troupe_.expect({{client, message_of(bar1)}}, step_limit));
    return {};
}

Result<void> Hello::start_member(Actor member) {
    return troupe_.start(member,
                         {"demo-member", "--registry", address_, "--member", member_name(member)});
}

Result<void> Hello::kill_active() {
    const Actor victim = active_;
    const Actor successor = other();
    act(fmt::format("kill -9 {} (Foo:{})", troupe_.child(victim).pid(), member_name(victim)));
    const auto killed = troupe_.dismiss(victim, SIGKILL);
    const auto seen = US_TRY(troupe_.expect(
        {{successor, "MASTER"}, {client, message_of(successor)}}, step_limit));

    Round round{.killed = member_name(victim), .successor = member_name(successor)};
    round.failover_us = microseconds(seen.at(client).at - killed);
    const auto lost = troupe_.noted(client, "lost", killed);
    const auto found = troupe_.noted(client, "found", killed);
    if (!found) return unexpected("the client did not note its message");
    round.client_us = microseconds(*found - std::min(lost.value_or(killed), *found));
    rounds_.push_back(round);
    active_ = successor;
    act(fmt::format("failover: {} from just before kill() to the client's line; the client itself "
                    "was alone for {}",
                    humane_us(round.failover_us), humane_us(round.client_us)));
    return {};
}

Result<void> Hello::bring_back(Actor victim) {
    act(fmt::format("start Foo:{} again", member_name(victim)));
    US_CHECK(start_member(victim));
    (void)US_TRY(troupe_.expect({{victim, "STANDBY"}}, step_limit));
    if (rounds_.size() > 1) return {};

    const std::vector<std::string> command{"service", "show", family, "--registry", address_};
    auto with_json = command;
    with_json.push_back("--json");
    const auto json = US_TRY(wire::parse_json(US_TRY(troupe_.run(with_json, step_limit))));
    const Dynamic::Map* service = json.as<Dynamic::Map>();
    const auto members = service == nullptr ? nullptr : &service->at("members");
    const Dynamic::Map* last = members == nullptr || members->as<Dynamic::Array>()->empty()
                                   ? nullptr
                                   : members->as<Dynamic::Array>()->back().as<Dynamic::Map>();
    if (last == nullptr || last->at("member") != Dynamic(member_name(victim)) ||
        last->at("role") != Dynamic("standby")) {
        return unexpected("who came back is not last in line");
    }
    act(fmt::format("understudy service show {}: who comes back is last in line", family));
    show(US_TRY(troupe_.run(command, step_limit)));
    return {};
}

Result<void> Hello::switch_over() {
    const Actor from = active_;
    const Actor to = other();
    act(fmt::format("understudy service switchover {}", family));
    const auto asked = Clock::now();
    const std::string output = US_TRY(
        troupe_.run({"service", "switchover", family, "--registry", address_}, step_limit));
    (void)US_TRY(troupe_.expect({{from, "STANDBY"}, {to, "MASTER"}, {client, message_of(to)}},
                                step_limit));
    active_ = to;
    const auto lost = troupe_.noted(client, "lost", asked);
    const auto found = troupe_.noted(client, "found", asked);
    switchover_us_ = microseconds(Clock::now() - asked);
    switchover_client_us_ = lost && found ? microseconds(*found - std::min(*lost, *found)) : 0;
    show(output);
    act(fmt::format("switchover: the client itself was alone for {}",
                    humane_us(switchover_client_us_)));
    return {};
}

Result<void> Hello::end() {
    act("the end: everyone is told to go");
    for (const Actor actor : {client, bar1, bar2}) {
        (void)troupe_.dismiss(actor, SIGTERM);
        if (!troupe_.child(actor).wait(step_limit)) return unexpected("a process did not end");
    }
    (void)troupe_.dismiss(registry, SIGTERM);
    const auto code = troupe_.child(registry).wait(step_limit);
    if (code != 0) {
        return unexpected(fmt::format("the registry ended with {}", code.value_or(-1)));
    }
    const Spread failover = spread(rounds_, &Round::failover_us);
    if (rounds_.size() > 1) {
        show(fmt::format("{} kills: failover min {}, p50 {}, max {}\n", rounds_.size(),
                         humane_us(failover.min), humane_us(failover.p50),
                         humane_us(failover.max)));
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
                      {"failover_us", spread_json(spread(rounds_, &Round::failover_us))},
                      {"client_us", spread_json(spread(rounds_, &Round::client_us))},
                      {"switchover", Dynamic()}};
    if (switchover_us_) {
        json["switchover"] = Dynamic::Map{{"took_us", *switchover_us_},
                                          {"client_us", switchover_client_us_}};
    }
    return json;
}

std::string Hello::errors() const {
    std::string out;
    for (const Actor actor : {registry, bar1, bar2, client}) {
        if (const std::string text = troupe_.errors_of(actor); !text.empty()) {
            constexpr std::string_view names[] = {"Registry", "Foo:Bar1", "Foo:Bar2", "Client"};
            out += fmt::format("--- {} wrote:\n{}", names[actor], text);
        }
    }
    return out;
}

}  // namespace understudy::apps::demo
