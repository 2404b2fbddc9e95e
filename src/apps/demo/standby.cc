#include "apps/demo/standby.h"

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "apps/invocation.h"
#include "apps/quantity.h"

namespace understudy::apps::demo {

using wire::Dynamic;

namespace {

constexpr Duration step_limit = 20s;
constexpr Duration nobody_watched = 2s;  // How long nobody must step in.
constexpr std::string_view ready_begin = "registry ready on ";
constexpr const char* names[] = {"Registry", "server 0", "server 1", "server 2", "client"};

[[nodiscard]] std::uint64_t microseconds(Clock::duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

[[nodiscard]] Error unexpected(std::string detail) {
    return {.code = Errc::failed, .detail = std::move(detail)};
}

struct Spread {
    std::uint64_t min = 0;
    std::uint64_t p50 = 0;
    std::uint64_t p99 = 0;
    std::uint64_t max = 0;
};

[[nodiscard]] Spread spread(const std::vector<Standby::Round>& rounds,
                            std::uint64_t Standby::Round::* figure) {
    std::vector<std::uint64_t> sorted;
    for (const Standby::Round& round : rounds) sorted.push_back(round.*figure);
    std::sort(sorted.begin(), sorted.end());
    if (sorted.empty()) return {};
    const auto at = [&](std::size_t percent) { return sorted[(sorted.size() - 1) * percent / 100]; };
    return {sorted.front(), at(50), at(99), sorted.back()};
}

[[nodiscard]] Dynamic::Map spread_json(const Spread& spread) {
    return {{"min", spread.min}, {"p50", spread.p50}, {"p99", spread.p99}, {"max", spread.max}};
}

}  // namespace

Standby::Standby(const Options& options, std::string directory)
    : options_(options),
      directory_(std::move(directory)),
      columns_({{"Registry", 18},
                {"server 0", 12},
                {"server 1", 12},
                {"server 2", 12},
                {"client", 36}},
               options.paint),
      troupe_({names[0], names[1], names[2], names[3], names[4]}, directory_,
              [this](const Line& line) {
                  const auto milliseconds = microseconds(line.at - begun_) / 1000;
                  show(columns_.line(milliseconds, line.actor, line.text));
              }) {}

void Standby::show(const std::string& text) const {
    if (options_.summary_only) {
        (void)std::fputs(text.c_str(), stderr);
    } else {
        print(text);
    }
}

void Standby::act(const std::string& text) const {
    // A signal ends the pause; the next wait notices.
    if (options_.pause > Duration::zero()) {
        (void)::poll(nullptr, 0, static_cast<int>(options_.pause / 1ms));
    }
    show(columns_.act(text));
}

Result<void> Standby::play() {
    show(columns_.header());
    US_CHECK(raise_curtain());
    for (std::uint64_t round = 0; round < options_.rounds; ++round) US_CHECK(kill_active());
    US_CHECK(leave_the_checkpointer());
    US_CHECK(stop_all());
    return end();
}

Result<void> Standby::command(std::vector<std::string> arguments) {
    std::string line = "understudy";
    for (const std::string& each : arguments) line += ' ' + each;
    arguments.insert(arguments.end(), {"--registry", address_});
    const std::string output = US_TRY(troupe_.run(arguments, step_limit));
    act(line);
    show(output);
    return {};
}

Result<void> Standby::raise_curtain() {
    US_CHECK(troupe_.start(registry, {"registry", "--listen", "127.0.0.1:0", "--data",
                                      directory_ + "/registry", "--platform", "Standby"}));
    const Line ready = US_TRY(troupe_.next_line(registry, step_limit));
    const std::size_t end = ready.text.find(',');
    if (!ready.text.starts_with(ready_begin) || end == std::string::npos) {
        return unexpected(fmt::format("the registry printed \"{}\"", ready.text));
    }
    address_ = ready.text.substr(ready_begin.size(), end - ready_begin.size());

    US_CHECK(command({"service", "register", client_name, "--kind", "immortal", "--log",
                      directory_ + "/client"}));
    US_CHECK(command({"service", "register", server_name, "--kind", "immortal", "--log",
                      directory_ + "/server"}));
    US_CHECK(command({"service", "add-replica", server_name, "--replica", "1"}));
    US_CHECK(command({"service", "add-replica", server_name, "--replica", "2"}));

    US_CHECK(start_copy(first, "active"));
    US_CHECK(start_copy(second, "checkpointer"));
    US_CHECK(start_copy(third, "standby"));
    US_CHECK(troupe_.start(client, {"demo-asking-client", "--registry", address_, "--member",
                                    "replica-0", "--directory", directory_ + "/client"}));
    (void)US_TRY(troupe_.expect({{client, "ready"}}, step_limit));
    (void)US_TRY(report());
    return command({"service", "show", server_name});
}

Result<void> Standby::start_copy(Actor copy, const char* role) {
    US_CHECK(troupe_.start(copy, {"demo-server-copy", "--registry", address_, "--member",
                                  fmt::format("replica-{}", copy - first), "--directory",
                                  directory_ + "/server"}));
    (void)US_TRY(troupe_.expect({{copy, role}}, step_limit));
    return {};
}

Result<ClientReport> Standby::report() {
    troupe_.child(client).signal(SIGUSR1);
    const Line line = US_TRY(troupe_.next_line(client, step_limit));
    ClientReport report;
    if (!from_line(line.text, report)) {
        return unexpected(fmt::format("the client printed \"{}\"", line.text));
    }
    return report;
}

Result<void> Standby::kill_active() {
    (void)US_TRY(report());
    act(fmt::format("kill -9 {} ({})", troupe_.child(active_).pid(), names[active_]));
    const auto killed = troupe_.dismiss(active_, SIGKILL);
    const auto seen = US_TRY(troupe_.expect({{standby_, "active"}}, step_limit));
    const ClientReport after = US_TRY(report());
    rounds_.push_back({.killed = names[active_],
                       .successor = names[standby_],
                       .active_us = microseconds(seen.at(standby_).at - killed),
                       .gap_us = after.longest_us});
    std::swap(active_, standby_);
    act(fmt::format("failover: the client waited {} for an answer; start {} again",
                    humane_us(after.longest_us), names[standby_]));
    return start_copy(standby_, "standby");
}

Result<void> Standby::leave_the_checkpointer() {
    act(fmt::format("kill -9 of {} and {}: the checkpointer stays what it is", names[active_],
                    names[standby_]));
    (void)troupe_.dismiss(standby_, SIGKILL);
    (void)troupe_.dismiss(active_, SIGKILL);
    const auto quiet = troupe_.expect({{second, "active"}}, nobody_watched);
    if (quiet || quiet.error().code != Errc::timed_out) {
        return quiet ? Result<void>(unexpected("the checkpointer became active")) : quiet.error();
    }
    act(fmt::format("start {}: it may be active", names[standby_]));
    US_CHECK(start_copy(standby_, "active"));
    std::swap(active_, standby_);
    (void)US_TRY(report());
    return {};
}

Result<void> Standby::stop_all() {
    act("stop all copies, then start them: checkpointer, active, standby");
    for (const Actor copy : {active_, second}) {
        (void)troupe_.dismiss(copy, SIGTERM);
        if (!troupe_.child(copy).wait(step_limit)) return unexpected("a process did not end");
    }
    US_CHECK(start_copy(first, "checkpointer"));
    US_CHECK(start_copy(second, "active"));
    US_CHECK(start_copy(third, "standby"));
    active_ = second;
    standby_ = third;
    (void)US_TRY(report());
    return command({"service", "show", server_name});
}

Result<void> Standby::end() {
    troupe_.child(client).signal(SIGUSR2);
    const Line line = US_TRY(troupe_.next_line(client, step_limit));
    ClientTotal total;
    if (!from_line(line.text, total)) {
        return unexpected(fmt::format("the client printed \"{}\"", line.text));
    }
    total_ = total;
    if (total.asked != total.answered || total.asked != total.counted) {
        return unexpected("calls were lost or carried out twice");
    }
    act("the end: each question was answered once, and everyone is told to go");
    for (const Actor actor : {client, first, second, third}) {
        (void)troupe_.dismiss(actor, SIGTERM);
        if (!troupe_.child(actor).wait(step_limit)) return unexpected("a process did not end");
    }
    (void)troupe_.dismiss(registry, SIGTERM);
    const auto code = troupe_.child(registry).wait(step_limit);
    if (code != 0) {
        return unexpected(fmt::format("the registry ended with {}", code.value_or(-1)));
    }
    const Spread gap = spread(rounds_, &Round::gap_us);
    show(fmt::format("{} kills of the active copy, {} questions: the client waited for an answer at "
                     "most min {}, p50 {}, p99 {}, max {}\n",
                     rounds_.size(), total.asked, humane_us(gap.min), humane_us(gap.p50),
                     humane_us(gap.p99), humane_us(gap.max)));
    return {};
}

Dynamic::Map Standby::summary_json() const {
    Dynamic::Array rounds;
    for (const Round& round : rounds_) {
        rounds.emplace_back(Dynamic::Map{{"killed", round.killed},
                                         {"successor", round.successor},
                                         {"active_us", round.active_us},
                                         {"gap_us", round.gap_us}});
    }
    Dynamic::Map json{{"rounds", std::move(rounds)},
                      {"active_us", spread_json(spread(rounds_, &Round::active_us))},
                      {"gap_us", spread_json(spread(rounds_, &Round::gap_us))},
                      {"counts", Dynamic()}};
    if (total_) {
        json["counts"] = Dynamic::Map{{"asked", total_->asked},
                                      {"answered", total_->answered},
                                      {"carried_out", total_->counted}};
    }
    return json;
}

std::string Standby::errors() const {
    std::string out;
    for (const Actor actor : {registry, first, second, third, client}) {
        if (const std::string text = troupe_.errors_of(actor); !text.empty()) {
            out += fmt::format("--- {} wrote:\n{}", names[actor], text);
        }
    }
    return out;
}

}  // namespace understudy::apps::demo
