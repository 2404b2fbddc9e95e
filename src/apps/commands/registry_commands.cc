#include "apps/commands/registry_commands.h"

#include <memory>
#include <span>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>

#include "apps/commands/session.h"
#include "apps/run/backup_file.h"
#include "apps/run/registry_program.h"
#include "apps/view/quantity.h"
#include "library/registry/registry_nodes.h"
#include "platform/disk.h"
#include "platform/log.h"
#include "platform/machine/limits.h"
#include "wire/control.h"
#include "wire/registry_log.pb.h"

namespace understudy::apps {

using wire::Dynamic;

namespace {

[[nodiscard]] Result<platform::LineLog::Options> log_options(const RegistrySettings& settings) {
    return platform::LineLog::Options{
        .level = US_TRY(platform::parse_log_level(settings.log_level)),
        .format = US_TRY(platform::parse_log_format(settings.log_format))};
}

/// Adds the next step for an error that stops a registry from starting.
[[nodiscard]] Error explain_start(Error error, const RegistrySettings& settings) {
    if (error.code == Errc::corrupt) {
        return advise(std::move(error), fmt::format("a backup into another directory: understudy "
                                                    "registry restore --from FILE --data DIR "
                                                    "(keep {} to look into)",
                                                    settings.data));
    }
    if (error.code == Errc::in_use) {
        return advise(std::move(error),
                      "another --data or --listen, or end the other registry "
                      "(understudy registry status shows which one answers)");
    }
    return advise_path(std::move(error), settings.data);
}

Result<Exit> run_registry(const Invocation& invocation) {
    RegistrySettings settings = invocation.settings().registry;
    settings.listen_given = invocation.effective.origins.contains("registry.listen");
    auto options = US_TRY(registry_options(settings));
    const bool several = options.several.has_value();
    platform::LineLog log(US_TRY(log_options(settings)));
    if (const auto raised = platform::raise_descriptor_limit(); !raised) {
        log.warn("registry.descriptor_limit", {kv("error", raised.error())});
    }
    if (auto enough = platform::check_descriptors(); !enough) {
        return advise_path(std::move(enough).error(), settings.data);
    }
    platform::AsioRuntime runtime(log);
    RegistryProgram program(runtime, log, Supervisor::of_this_process());
    const auto ended = program.run(std::move(options), [&](const node::RegistryServer& server) {
        if (several) {
            announce(fmt::format("registry ready on {}, node {} of {}, platform {}\n",
                                 to_string(server.address()), settings.name,
                                 server.journal().nodes().size(), settings.platform));
            return;
        }
        if (server.state().platform() != settings.platform &&
            invocation.effective.origins.contains("registry.platform")) {
            remark(fmt::format("understudy: {} was founded as platform {}; that name stays",
                               settings.data, server.state().platform()));
        }
        announce(fmt::format("registry ready on {}, platform {}, revision {}\n",
                             to_string(server.address()), server.state().platform(),
                             server.state().revision().value));
    });
    if (!ended) return explain_start(ended.error(), settings);
    return Exit::done;
}

Result<Exit> restore_registry(const Invocation& invocation, const std::string& from) {
    const RegistrySettings& settings = invocation.settings().registry;
    const bool from_input = from == "-";
    const Buffer file =
        US_TRY(read_file(from_input ? "/dev/stdin" : from, backup_header_size + backup_size_max));
    const auto content = decode_backup(file);
    if (!content) {
        Error error = content.error();
        error.detail = fmt::format("{}: {}", from, error.detail);
        return error;
    }
    wire::pb::RegistryState state;
    if (!state.ParseFromArray(content->data(), static_cast<int>(content->size())) ||
        state.platform().empty()) {
        return Error{.code = Errc::corrupt,
                     .detail = fmt::format("{}: its content is not the state of a registry", from)};
    }
    auto options = US_TRY(registry_options(settings));
    options.several.reset();
    options.listen = {
        "127.0.0.1",
        0};  // The restored registry does not serve yet, so it uses another port than agents.
    options.restore = Buffer(content->begin(), content->end());
    platform::LineLog log({.level = LogLevel::warn});
    platform::AsioRuntime runtime(log);
    RegistryProgram program(runtime, log, Supervisor("", ""));
    std::string restored;
    const auto ended = program.run(std::move(options), [&](const node::RegistryServer& server) {
        restored = fmt::format("platform {} with {} service(s) is in {}, revision {}\n",
                               server.state().platform(), server.state().services().size(),
                               settings.data, server.state().revision().value);
        program.close();
    });
    if (!ended) return explain_start(ended.error(), settings);
    if (restored.empty()) {  // A signal came before.
        remark("understudy: interrupted before the backup was restored");
        return Exit::interrupted;
    }
    print(restored);
    remark(fmt::format("try: understudy registry --data {}", settings.data));
    return Exit::done;
}

Result<Exit> backup_registry(const Invocation& invocation, const std::string& to,
                             Existing existing) {
    const bool to_output = to == "-";
    if (to_output && is_terminal(STDOUT_FILENO)) {
        return advise(
            {.code = Errc::bad_config, .detail = "a backup cannot be written to a terminal"},
            "understudy registry backup --to FILE");
    }
    auto session = US_TRY(Session::open(invocation));
    wire::pb::Ask ask;
    ask.mutable_backup();
    const auto answer = US_TRY(session.ask(std::move(ask)));
    const Bytes content = as_bytes(answer.backup());
    if (to_output) {
        print(as_text(encode_backup(content)));
        remark(fmt::format("{} bytes in standard output", backup_header_size + content.size()));
        return Exit::done;
    }
    platform::PosixDisk disk;
    if (auto written = write_backup(disk, to, content, existing); !written) {
        const bool there = written.error().code == Errc::already_exists;
        if (there) return advise(written.error(), "--force, which replaces it");
        return std::move(written).error();
    }
    if (invocation.for_people()) {
        print(fmt::format("{} bytes in {}\n", backup_header_size + content.size(), to));
    } else {
        print(to_json_line(Dynamic::Map{{"file", to},
                                        {"bytes", backup_header_size + content.size()}}));
    }
    return Exit::done;
}

// --- Status --------------------------------------------------------------------------------------

[[nodiscard]] Listing list_nodes(const wire::pb::JournalInfo& journal) {
    Listing listing{.columns = {{.key = "node", .title = "NODE"},
                                {.key = "role", .title = "ROLE"},
                                {.key = "address", .title = "ADDRESS"},
                                {.key = "connected", .title = "CONNECTED"},
                                {.key = "index", .title = "INDEX"},
                                {.key = "lag", .title = "LAG"}},
                    .rows = {},
                    .name_key = "node"};
    for (const wire::pb::NodeInfo& node : journal.nodes()) {
        const bool known = node.index() != 0;
        listing.rows.push_back(
            {{"node", node.name()},
             {"role", std::string(name(static_cast<Role>(node.role())))},
             {"address", to_string(wire::from_endpoint(node.endpoint()))},
             {"connected", node.connected()},
             {"index", known ? Dynamic(node.index()) : Dynamic()},
             {"lag", known ? Dynamic(node.lag()) : Dynamic()}});
    }
    return listing;
}

/// The status of a registry that runs alone, without the fields of several nodes.
[[nodiscard]] std::string status_text(const Dynamic::Map& status, std::uint64_t uptime_us,
                                      bool several) {
    constexpr std::string_view keys[] = {"platform", "address",  "version",     "revision",
                                         "services", "members",  "agents",      "sessions",
                                         "space",    "uptime",   "node",        "active_node",
                                         "epoch",    "journal_index", "checkpoint"};
    constexpr std::size_t alone = 10;
    std::string out;
    for (const std::string_view key : std::span(keys).first(several ? std::size(keys) : alone)) {
        const auto found = status.find(key);
        out += fmt::format("{}  {}\n", padded(key, several ? 13 : 10),
                           key == "uptime"           ? humane_us(uptime_us)
                           : found == status.end() ? "-"
                                                     : cell_text(found->second));
    }
    return out;
}

[[nodiscard]] Dynamic::Map status_json(const wire::pb::PlatformInfo& info,
                                       const std::string& where) {
    const wire::pb::JournalInfo& journal = info.journal();
    Dynamic::Array nodes;
    for (auto& row : list_nodes(journal).rows) nodes.emplace_back(std::move(row));
    const auto or_nil = [](const std::string& text) {
        return text.empty() ? Dynamic() : Dynamic(text);
    };
    return {{"platform", info.platform()},
            {"address", where},
            {"registry_id", fmt::format("{:016x}", info.registry_id())},
            {"version", info.version()},
            {"revision", info.revision()},
            {"services", info.services()},
            {"members", info.members()},
            {"agents", info.agents()},
            {"sessions", info.sessions()},
            {"space", info.space()},
            {"uptime_ms", info.uptime_ms()},
            {"journal_index", info.journal_index()},
            {"node", or_nil(journal.node())},
            {"active_node", or_nil(journal.active_node())},
            {"epoch", journal.epoch()},
            {"checkpoint", journal.checkpoint()},
            {"waiting", or_nil(journal.waiting())},
            {"nodes", std::move(nodes)}};
}

Result<Exit> show_status(const Invocation& invocation) {
    auto session = US_TRY(Session::open(invocation, Session::Needs::any_node));
    wire::pb::Ask ask;
    ask.mutable_platform();
    const auto answer = US_TRY(session.ask_any(std::move(ask)));
    const wire::pb::PlatformInfo& info = answer.platform();
    const Dynamic::Map status = status_json(info, session.answered_at());
    const Listing nodes = list_nodes(info.journal());
    if (invocation.for_people()) {
        print(status_text(status, info.uptime_ms() * 1000, !nodes.rows.empty()));
        if (!nodes.rows.empty()) {
            print('\n' + to_text(nodes, Format::table, invocation.paint));
        }
    } else if (invocation.format == Format::name) {
        print(info.platform() + '\n');
    } else if (invocation.format == Format::csv) {
        Listing listing;
        for (const auto& [key, value] : status) {
            if (key != "nodes") listing.columns.push_back({.key = key, .title = ""});
        }
        listing.rows.push_back(status);
        print(to_text(listing, Format::csv, Paint::plain));
    } else {
        print(to_json_line(status));
    }
    if (info.journal().active_node().empty()) {
        const std::string& waiting = info.journal().waiting();
        remark(fmt::format("understudy: {} answers, and knows of no active node: {}",
                           info.journal().node(),
                           waiting.empty() ? "an election is under way" : waiting));
        return Exit::no;
    }
    // Any value but "ok" means that changes are refused while the rest goes on.
    return info.space() == "ok" ? Exit::done : Exit::no;
}

// --- Nodes ---------------------------------------------------------------------------------------

Result<Exit> change_nodes(const Invocation& invocation, wire::pb::NodesAsk change,
                          std::string_view done) {
    auto session = US_TRY(Session::open(invocation));
    wire::pb::Ask ask;
    *ask.mutable_nodes() = std::move(change);
    if (auto answer = session.ask(std::move(ask)); !answer) {
        return advise(std::move(answer).error(), "understudy registry status");
    }
    if (invocation.for_people()) {
        print(fmt::format("{}\n", done));
    } else {
        print(to_json_line(Dynamic::Map{{"done", done}}));
    }
    return Exit::done;
}

Result<Exit> add_node(const Invocation& invocation, const std::string& text) {
    const auto nodes = US_TRY(library::parse_nodes(text));
    if (nodes.size() != 1) {
        return Error{.code = Errc::bad_config, .detail = "one node at a time: NAME=HOST:PORT"};
    }
    wire::pb::NodesAsk change;
    change.mutable_add()->set_name(nodes[0].name);
    *change.mutable_add()->mutable_endpoint() = wire::to_endpoint(nodes[0].address);
    return change_nodes(invocation, std::move(change),
                        fmt::format("{} is a node of the registry", nodes[0].name));
}

Result<Exit> remove_node(const Invocation& invocation, const std::string& name) {
    wire::pb::NodesAsk change;
    change.mutable_remove()->set_name(name);
    return change_nodes(invocation, std::move(change),
                        fmt::format("{} is no longer a node of the registry", name));
}

Result<Exit> transfer_to(const Invocation& invocation, const std::string& name) {
    wire::pb::NodesAsk change;
    change.mutable_transfer()->set_to(name);
    return change_nodes(invocation, std::move(change),
                        name.empty() ? "another node is active" : name + " is active");
}

}  // namespace

void add_registry_commands(const Command& root, Globals& globals) {
    const Command registry = root.add(
        "registry", "Runs a registry, which keeps the members, their roles and their order.");
    globals.add_section(registry, registry_section);
    registry.runs(globals.running(run_registry));
    registry.footer("Ends cleanly on SIGTERM and Ctrl-C. See docs/operations/registry.md.");

    const Command status = registry.add("status", "Shows the state of a running registry.");
    globals.add_section(status, client_section);
    status.runs(globals.running(show_status));
    status.footer("Exit code 1: it answers, but takes no changes: no space, or no active node.");

    const auto node = std::make_shared<std::string>();
    const auto add_change = [&](const char* command_name, const char* about, Parameter parameter,
                                Result<Exit> (*body)(const Invocation&, const std::string&)) {
        const Command command = registry.add(command_name, about);
        command.argument(std::move(parameter), *node);
        globals.add_section(command, client_section);
        command.runs(globals.running(
            [node, body](const Invocation& invocation) { return body(invocation, *node); }));
        return command;
    };
    add_change("add",
               "Adds a node to a registry of several, or gives a node a new disk or address.",
               {.names = "node",
                .value_name = "NAME=HOST:PORT",
                .about = "The node. It must run already."},
               add_node)
        .footer("Returns when the node has caught up and counts for a majority.");
    add_change("remove", "Removes a node from a registry of several.",
               {.names = "name", .value_name = "NAME", .about = "The node; not the active one."},
               remove_node);
    add_change("transfer", "Makes another node of the registry the active one.",
               {.names = "name",
                .value_name = "NAME",
                .about = "The node. Default: the one with the most entries.",
                .required = false},
               transfer_to);

    struct BackupArguments {
        std::string to;
        bool force = false;
    };
    auto backup_arguments = std::make_shared<BackupArguments>();
    const Command backup =
        registry.add("backup", "Writes the state of a running registry to a file.");
    globals.add_section(backup, client_section);
    backup.required_option(
        {.names = "--to",
         .value_name = "FILE",
         .about = "The file, written completely or not at all; - is standard output.",
         .completes = Completes::file},
        backup_arguments->to);
    backup.flag("--force", "Replaces an existing file.", backup_arguments->force);
    backup.runs(globals.running([backup_arguments](const Invocation& invocation) {
        return backup_registry(invocation, backup_arguments->to,
                               backup_arguments->force ? Existing::replace : Existing::refuse);
    }));

    auto from = std::make_shared<std::string>();
    const Command restore = registry.add(
        "restore", "Makes a new journal directory from a backup; the registry must not run.");
    restore.required_option({.names = "--from", .value_name = "FILE",
                             .about = "A file of registry backup; - is standard input.",
                             .completes = Completes::file},
                            *from);
    for (const char* const name : {"registry.data", "registry.segment_size"}) {
        globals.add_option(restore, name);
    }
    restore.runs(globals.running(
        [from](const Invocation& invocation) { return restore_registry(invocation, *from); }));
}

}  // namespace understudy::apps
