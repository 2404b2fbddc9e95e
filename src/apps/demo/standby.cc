#include "apps/demo/standby.h"

#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "apps/view/quantity.h"
#include "apps/view/spread.h"

namespace understudy::apps::demo {

using wire::Dynamic;

namespace {

constexpr Duration nobody_watched = 2s;  // No copy may take over within this time.
const std::vector<std::string> actor_names = {"Registry", "server 0", "server 1", "server 2",
                                              "client"};

}  // namespace

Standby::Standby(const PlayOptions& options, std::string directory)
    : options_(options),
      directory_(std::move(directory)),
      columns_(
          {{"Registry", 18}, {"server 0", 12}, {"server 1", 12}, {"server 2", 12}, {"client", 36}},
          options.paint),
      processes_(actor_names, directory_, [this](const Line& line) {
          const auto milliseconds = microseconds(line.at - begun_) / 1000;
          show(columns_.line(milliseconds, line.actor, line.text));
      }) {}

void Standby::show(const std::string& text) const { demo::show(options_, text); }

void Standby::act(const std::string& text) const { demo::act(options_, columns_, text); }

Result<void> Standby::play() {
    show(columns_.header());
    US_CHECK(raise_curtain());
    for (std::uint64_t round = 0; round < options_.rounds; ++round) US_CHECK(kill_active());
    US_CHECK(switch_over());
    US_CHECK(leave_the_checkpointer());
    US_CHECK(stop_all());
    return end();
}

Result<void> Standby::command(std::vector<std::string> arguments) {
    std::string line = "understudy";
    for (const std::string& each : arguments) line += ' ' + each;
    arguments.insert(arguments.end(), {"--registry", address_});
    const std::string output = US_TRY(processes_.run(arguments, step_limit));
    act(line);
    show(output);
    return {};
}

Result<void> Standby::raise_curtain() {
    address_ = US_TRY(start_registry(processes_, registry, directory_, "Standby"));

    US_CHECK(command({"service", "register", client_name, "--kind", "immortal", "--log",
                      directory_ + "/client"}));
    US_CHECK(command({"service", "register", server_name, "--kind", "immortal", "--log",
                      directory_ + "/server"}));
    US_CHECK(command({"service", "add-replica", server_name, "--replica", "1"}));
    US_CHECK(command({"service", "add-replica", server_name, "--replica", "2"}));

    US_CHECK(start_copy(first, "active"));
    US_CHECK(start_copy(second, "checkpointer"));
    US_CHECK(start_copy(third, "standby"));
    US_CHECK(processes_.start(client, {"demo-asking-client", "--registry", address_, "--member",
                                       "replica-0", "--directory", directory_ + "/client"}));
    (void)US_TRY(processes_.expect({{client, "ready"}}, step_limit));
    (void)US_TRY(report());
    return command({"service", "show", server_name});
}

Result<void> Standby::start_copy(Actor copy, const char* role) {
    US_CHECK(processes_.start(
        copy, {"demo-server-copy", "--registry", address_, "--member",
               fmt::format("replica-{}", copy - first), "--directory", directory_ + "/server"}));
    (void)US_TRY(processes_.expect({{copy, role}}, step_limit));
    return {};
}

Result<ClientReport> Standby::report() {
    processes_.child(client).signal(SIGUSR1);
    const Line line = US_TRY(processes_.next_line(client, step_limit));
    ClientReport report;
    if (!from_line(line.text, report)) {
        return unexpected(fmt::format("the client printed \"{}\"", line.text));
    }
    return report;
}

Result<void> Standby::kill_active() {
    (void)US_TRY(report());
    act(fmt::format("kill -9 {} ({})", processes_.child(active_).pid(), actor_names[active_]));
    const auto killed = processes_.stop(active_, SIGKILL);
    const auto seen = US_TRY(processes_.expect({{standby_, "active"}}, step_limit));
    const ClientReport after = US_TRY(report());
    rounds_.push_back({.killed = actor_names[active_],
                       .successor = actor_names[standby_],
                       .active_us = microseconds(seen.at(standby_).at - killed),
                       .gap_us = after.longest_us});
    std::swap(active_, standby_);
    act(fmt::format("failover: the client waited {} for an answer; start {} again",
                    humane_us(after.longest_us), actor_names[standby_]));
    return start_copy(standby_, "standby");
}

Result<void> Standby::switch_over() {
    (void)US_TRY(report());
    US_CHECK(command({"service", "switchover", server_name}));
    (void)US_TRY(processes_.expect({{active_, "standby"}, {standby_, "active"}}, step_limit));
    std::swap(active_, standby_);
    switchover_gap_us_ = US_TRY(report()).longest_us;
    act(fmt::format("switchover: the client waited {} for an answer",
                    humane_us(switchover_gap_us_)));
    return {};
}

Result<void> Standby::leave_the_checkpointer() {
    act(fmt::format("kill -9 of {} and {}: the checkpointer stays what it is", actor_names[active_],
                    actor_names[standby_]));
    (void)processes_.stop(standby_, SIGKILL);
    (void)processes_.stop(active_, SIGKILL);
    const auto quiet = processes_.expect({{second, "active"}}, nobody_watched);
    if (quiet || quiet.error().code != Errc::timed_out) {
        return quiet ? Result<void>(unexpected("the checkpointer became active")) : quiet.error();
    }
    act(fmt::format("start {}: it may be active", actor_names[standby_]));
    US_CHECK(start_copy(standby_, "active"));
    std::swap(active_, standby_);
    (void)US_TRY(report());
    return {};
}

Result<void> Standby::stop_all() {
    act("stop all copies, then start them: checkpointer, active, standby");
    for (const Actor copy : {active_, second}) {
        (void)processes_.stop(copy, SIGTERM);
        if (!processes_.child(copy).wait(step_limit)) return unexpected("a process did not end");
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
    processes_.child(client).signal(SIGUSR2);
    const Line line = US_TRY(processes_.next_line(client, step_limit));
    ClientTotal total;
    if (!from_line(line.text, total)) {
        return unexpected(fmt::format("the client printed \"{}\"", line.text));
    }
    total_ = total;
    if (total.asked != total.answered || total.asked != total.counted) {
        return unexpected("calls were lost or carried out twice");
    }
    act("the end: each question was answered once, and all processes are stopped");
    US_CHECK(end_all(processes_, {client, first, second, third}, registry));
    const Spread gap(sorted(rounds_, &Round::gap_us));
    show(
        fmt::format("{} kills of the active copy, {} questions: the client waited for an answer at "
                    "most {}\n{}",
                    rounds_.size(), total.asked, to_line(gap), to_histogram(gap)));
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
                      {"active_us", to_json(Spread(sorted(rounds_, &Round::active_us)))},
                      {"gap_us", to_json(Spread(sorted(rounds_, &Round::gap_us)))},
                      {"switchover", Dynamic::Map{{"gap_us", switchover_gap_us_}}},
                      {"counts", Dynamic()}};
    if (total_) {
        json["counts"] = Dynamic::Map{{"asked", total_->asked},
                                      {"answered", total_->answered},
                                      {"carried_out", total_->counted}};
    }
    return json;
}

std::string Standby::errors() const { return errors_of(processes_, actor_names); }

}  // namespace understudy::apps::demo
