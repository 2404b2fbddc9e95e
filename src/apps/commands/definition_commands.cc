#include "apps/commands/definition_commands.h"

#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "apps/commands/session.h"
#include "apps/view/service_view.h"
#include "base/errors.h"
#include "wire/control.h"
#include "wire/definition.h"

namespace understudy::apps {

namespace pb = wire::pb;

namespace {

/// The options as typed; empty means not given.
struct Typed {
    std::string name;
    std::string kind = "immortal";
    std::string log;
    std::string node;
    std::string port;
    std::string app_port;
    std::string version;
    std::string replica;
    bool replicated = false;
    bool last_resort = false;
    bool no_last_resort = false;
    bool update = false;
};

[[nodiscard]] Result<std::uint64_t> number(std::string_view what, const std::string& text,
                                           std::uint64_t max) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc() || read.ptr != end || value > max) {
        return bad_config(fmt::format("{} {}: expected a number from 0 to {}", what, text, max));
    }
    return value;
}

/// Replicas may be started in another directory than this command.
[[nodiscard]] Result<std::string> absolute(const std::string& path) {
    std::error_code error;
    const auto whole = std::filesystem::absolute(path, error);
    if (error) return bad_config(fmt::format("log {}: {}", path, error.message()));
    std::string text = whole.lexically_normal().string();
    if (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
}

[[nodiscard]] Result<pb::ReplicaOptions> replica_options(const Typed& typed) {
    pb::ReplicaOptions options;
    if (!typed.port.empty()) {
        options.set_port(static_cast<std::uint32_t>(US_TRY(number("--port", typed.port, 65'535))));
    }
    if (!typed.app_port.empty()) {
        options.set_app_port(
            static_cast<std::uint32_t>(US_TRY(number("--app-port", typed.app_port, 65'535))));
    }
    if (!typed.node.empty()) {
        const Address address = US_TRY(parse_address(typed.node));
        if (address.host.empty())
            return bad_config("--node: expected HOST:PORT at which the other replicas reach it");
        *options.mutable_node() = wire::to_endpoint(address);
    }
    return options;
}

[[nodiscard]] Error explained(Error error, const Typed& typed) {
    switch (error.code) {
        case Errc::already_exists:
            return advise(std::move(error), "--update, which changes only what is given");
        case Errc::not_found:
            return advise(
                std::move(error),
                typed.replica.empty() || error.detail.find("has no replica") == std::string::npos
                    ? fmt::format("understudy service list, or understudy service register "
                                  "{} --kind immortal --log DIR",
                                  typed.name)
                    : "understudy service show " + typed.name);
        case Errc::refused:
            return advise(std::move(error),
                          error.detail.find("the last one") == std::string::npos
                              ? "understudy service show " + typed.name
                              : "understudy service unregister " + typed.name);
        default: return error;
    }
}

/// Sends the request, then shows the present state of the service.
Result<Exit> change(const Invocation& invocation, const Typed& typed, pb::DefinitionAsk wanted,
                    const std::string& done) {
    auto session = US_TRY(Session::open(invocation));
    const bool leaves = !wanted.has_undefine();
    pb::Ask ask;
    *ask.mutable_definition() = std::move(wanted);
    if (auto answer = session.ask(std::move(ask)); !answer) {
        return explained(std::move(answer).error(), typed);
    }
    if (invocation.for_people()) {
        print(done + '\n');
    } else if (invocation.format == Format::name) {
        print(typed.name + '\n');
    } else if (leaves) {
        print(to_json_line(service_json(US_TRY(session.service(typed.name)))));
    } else {
        print(to_json_line(wire::Dynamic::Map{{"service", typed.name}}));
    }
    return Exit::done;
}

Result<Exit> register_service(const Invocation& invocation, const Typed& typed) {
    if (typed.last_resort && typed.no_last_resort) {
        return bad_config("--last-resort and --no-last-resort exclude each other");
    }
    pb::DefinitionAsk wanted;
    pb::DefineAsk& define = *wanted.mutable_define();
    define.set_family(typed.name);
    define.set_kind(static_cast<std::uint32_t>(wire::ServiceKind::immortal));
    *define.mutable_first() = US_TRY(replica_options(typed));
    std::string log;
    if (!typed.log.empty()) log = US_TRY(absolute(typed.log));
    if (typed.replicated) {
        define.set_journal(static_cast<std::uint32_t>(wire::JournalKind::replicated));
        if (!log.empty()) define.mutable_first()->set_directory(log);
    } else if (!log.empty()) {
        // With a replicated service this changes the log of replica 0.
        if (!typed.update) {
            define.set_journal(static_cast<std::uint32_t>(wire::JournalKind::shared_directory));
        }
        define.set_directory(log);
        define.mutable_first()->set_directory(log);
    } else if (!typed.update) {
        return advise(bad_config("the place of the journal is missing"),
                      "--log DIR, a directory that all replicas share, or --replicated");
    }
    if (typed.last_resort || typed.no_last_resort) {
        define.set_last_resort(typed.last_resort ? 1 : 0);
    }
    if (!typed.version.empty()) {
        define.set_version(US_TRY(number("--code-version", typed.version, UINT32_MAX)));
    }
    define.set_update(typed.update);
    return change(invocation, typed, std::move(wanted),
                  fmt::format("{} is registered, an immortal; its member is {}", typed.name,
                              wire::replica_member(0)));
}

Result<Exit> add_replica(const Invocation& invocation, const Typed& typed) {
    pb::DefinitionAsk wanted;
    pb::AddReplicaAsk& add = *wanted.mutable_add();
    add.set_family(typed.name);
    add.set_number(static_cast<std::uint32_t>(US_TRY(number("--replica", typed.replica, 999))));
    *add.mutable_options() = US_TRY(replica_options(typed));
    if (!typed.log.empty()) add.mutable_options()->set_directory(US_TRY(absolute(typed.log)));
    add.set_update(typed.update);
    const std::uint32_t replica = add.number();
    return change(invocation, typed, std::move(wanted),
                  fmt::format("{} has {}", typed.name, wire::replica_member(replica)));
}

Result<Exit> remove_replica(const Invocation& invocation, const Typed& typed) {
    pb::DefinitionAsk wanted;
    pb::RemoveReplicaAsk& remove = *wanted.mutable_remove();
    remove.set_family(typed.name);
    remove.set_number(static_cast<std::uint32_t>(US_TRY(number("--replica", typed.replica, 999))));
    const std::uint32_t replica = remove.number();
    return change(invocation, typed, std::move(wanted),
                  fmt::format("{} no longer has {}", typed.name, wire::replica_member(replica)));
}

Result<Exit> unregister(const Invocation& invocation, const Typed& typed) {
    pb::DefinitionAsk wanted;
    wanted.mutable_undefine()->set_family(typed.name);
    return change(
        invocation, typed, std::move(wanted),
        fmt::format("{} is no longer registered; its journal was not changed", typed.name));
}

}  // namespace

void add_definition_commands(const Command& service, Globals& globals) {
    const auto typed = std::make_shared<Typed>();
    const auto running = [&](Result<Exit> (*body)(const Invocation&, const Typed&)) {
        return globals.running(
            [typed, body](const Invocation& invocation) { return body(invocation, *typed); });
    };
    const auto add = [&](const char* name, const char* about,
                         Result<Exit> (*body)(const Invocation&, const Typed&)) {
        const Command command = service.add(name, about);
        command.argument({.names = "name", .value_name = "NAME", .about = "The service.",
                          .completes = Completes::service},
                         typed->name);
        command.runs(running(body));
        return command;
    };
    const auto add_replica_number = [&](const Command& command) {
        command.required_option(
            {.names = "--replica",
             .value_name = "N",
             .about = "Its number, 0 to 999. Replica 0 comes with the service."},
            typed->replica);
    };
    const auto add_replica_options = [&](const Command& command, const char* log_about) {
        command.option({.names = "--log", .value_name = "DIR", .about = log_about,
                        .completes = Completes::directory},
                       typed->log);
        command.option(
            {.names = "--node",
             .value_name = "HOST:PORT",
             .about = "Where the other replicas reach its replicated journal. Default: any "
                      "port, found by the registry."},
            typed->node);
        command.option({.names = "--port", .value_name = "P",
                        .about = "Where other services reach it. 0, the default: any port."},
                       typed->port);
        command.option({.names = "--app-port", .value_name = "P",
                        .about = "Where its application process reaches its coordinator. 0, the "
                                 "default: any port."},
                       typed->app_port);
        command.flag("--update", "Changes what is given; options that are not given stay.",
                     typed->update);
    };

    const Command registering =
        add("register", "Registers an immortal with its replica 0, before it runs.",
            register_service);
    registering.option({.names = "--kind", .value_name = "KIND",
                        .about = "What it is.", .choices = "immortal"},
                       typed->kind);
    registering.flag("--replicated", "The replicas keep the journal together, each in its own log.",
                     typed->replicated);
    add_replica_options(registering, "The journal, in a directory that all replicas share. With "
                                     "--replicated: that of replica 0 alone.");
    registering.flag("--last-resort", "The checkpointer may become active when no other copy can.",
                     typed->last_resort);
    registering.flag("--no-last-resort", "It may never become active: the default.",
                     typed->no_last_resort);
    registering.option({.names = "--code-version",
                        .value_name = "N",
                        .about = "The version of its code; it can only grow."},
                       typed->version);
    registering.footer(
        "The same command twice changes nothing. Exit code 1: it is registered with other values, "
        "or "
        "runs.");

    const Command adding =
        add("add-replica", "Registers one more copy of an immortal, also while others run.",
            add_replica);
    add_replica_number(adding);
    add_replica_options(adding, "With a replicated journal: its own log.");

    const Command removing =
        add("remove-replica", "Removes a copy, except the active one and the last one.",
            remove_replica);
    add_replica_number(removing);

    add("unregister", "Forgets a registered service. None of its members may run.", unregister);
}

}  // namespace understudy::apps
