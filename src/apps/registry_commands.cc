#include "apps/registry_commands.h"

#include <csignal>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "apps/backup_file.h"
#include "apps/quantity.h"
#include "apps/registry_program.h"
#include "apps/session.h"
#include "platform/disk.h"
#include "platform/limits.h"
#include "platform/log.h"
#include "wire/registry_log.pb.h"

namespace understudy::apps {

using wire::Dynamic;

namespace {

[[nodiscard]] Result<platform::LineLog::Options> log_options(const RegistrySettings& settings) {
    return platform::LineLog::Options{
        .level = US_TRY(platform::parse_log_level(settings.log_level)),
        .format = US_TRY(platform::parse_log_format(settings.log_format))};
}

/// The next thing to do about what keeps a registry from starting.
[[nodiscard]] Error explain_start(Error error, const RegistrySettings& settings) {
    if (error.code == Errc::corrupt) {
        return advise(std::move(error), fmt::format("a backup into another directory: understudy "
                                                    "registry restore --from FILE --data DIR "
                                                    "(keep {} to look into)",
                                                    settings.data));
    }
    if (error.code == Errc::in_use) {
        return advise(std::move(error), "another --data or --listen, or end the other registry "
                                        "(understudy registry status shows who answers)");
    }
    if (error.code == Errc::no_space) {
        return advise(std::move(error), fmt::format("df {}", settings.data));
    }
    return error;
}

Result<Exit> run_registry(const Invocation& invocation) {
    const RegistrySettings& settings = invocation.settings().registry;
    auto options = US_TRY(registry_options(settings));
    platform::LineLog log(US_TRY(log_options(settings)));
    // Whoever reads our first line may go away; the registry stays.
    (void)std::signal(SIGPIPE, SIG_IGN);
    if (const auto raised = platform::raise_descriptor_limit(); !raised) {
        log.warn("registry.descriptor_limit", {kv("error", raised.error())});
    }
    platform::AsioRuntime runtime(log);
    RegistryProgram program(runtime, log, Supervisor::of_this_process());
    const auto ended = program.run(std::move(options), [&](const node::RegistryServer& server) {
        if (server.state().platform() != settings.platform &&
            invocation.effective.origins.contains("registry.platform")) {
            remark(fmt::format("understudy: {} was founded as platform {}; that name stays",
                               settings.data, server.state().platform()));
        }
        print(fmt::format("registry ready on {}, platform {}, revision {}\n",
                          to_string(server.address()), server.state().platform(),
                          server.state().revision().value));
    });
    if (!ended) return explain_start(ended.error(), settings);
    return Exit::done;
}

Result<Exit> restore_registry(const Invocation& invocation, const std::string& from) {
    const RegistrySettings& settings = invocation.settings().registry;
    const Buffer file = US_TRY(read_file(from, backup_header_size + backup_size_max));
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
                     .detail = fmt::format("{}: its content is not what a registry knows", from)};
    }
    auto options = US_TRY(registry_options(settings));
    options.listen = {"127.0.0.1", 0};  // Restored, not yet in service: agents know another port.
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
    if (restored.empty()) {  // A signal came first.
        remark("understudy: interrupted before the backup was restored");
        return Exit::interrupted;
    }
    print(restored);
    remark(fmt::format("try: understudy registry --data {}", settings.data));
    return Exit::done;
}

Result<Exit> backup_registry(const Invocation& invocation, const std::string& to,
                             Existing existing) {
    auto session = US_TRY(Session::open(invocation));
    wire::pb::Ask ask;
    ask.mutable_backup();
    const auto answer = US_TRY(session.ask(std::move(ask)));
    const Bytes content = as_bytes(answer.backup());
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

[[nodiscard]] std::string status_text(const Dynamic::Map& status, std::uint64_t uptime_us) {
    constexpr std::string_view keys[] = {"platform", "address", "version",  "revision", "services",
                                         "members",  "agents",  "sessions", "space",    "uptime"};
    std::string out;
    for (const std::string_view key : keys) {
        const auto found = status.find(key);
        out += fmt::format("{}  {}\n", padded(key, 10),
                           key == "uptime"           ? humane_us(uptime_us)
                           : found == status.end() ? "-"
                                                     : cell_text(found->second));
    }
    return out;
}

Result<Exit> show_status(const Invocation& invocation) {
    auto session = US_TRY(Session::open(invocation));
    wire::pb::Ask ask;
    ask.mutable_platform();
    const auto answer = US_TRY(session.ask(std::move(ask)));
    const wire::pb::PlatformInfo& info = answer.platform();
    const Dynamic::Map status{{"platform", info.platform()},
                              {"address", session.where()},
                              {"registry_id", fmt::format("{:016x}", info.registry_id())},
                              {"version", info.version()},
                              {"revision", info.revision()},
                              {"services", info.services()},
                              {"members", info.members()},
                              {"agents", info.agents()},
                              {"sessions", info.sessions()},
                              {"space", info.space()},
                              {"uptime_ms", info.uptime_ms()},
                              {"journal_index", info.journal_index()}};
    if (invocation.for_people()) {
        print(status_text(status, info.uptime_ms() * 1000));
    } else if (invocation.format == Format::name) {
        print(info.platform() + '\n');
    } else if (invocation.format == Format::csv) {
        Listing listing;
        for (const auto& [key, value] : status) listing.columns.push_back({.key = key, .title = ""});
        listing.rows.push_back(status);
        print(to_text(listing, Format::csv, Paint::plain));
    } else {
        print(to_json_line(status));
    }
    // Anything but "ok": changes are refused, the rest goes on.
    return info.space() == "ok" ? Exit::done : Exit::no;
}

}  // namespace

void add_registry_commands(const Command& root, Globals& globals) {
    const Command registry =
        root.add("registry", "Runs a registry: who is here, who is active, in which order.");
    globals.add_section(registry, registry_section);
    registry.runs(globals.running(run_registry));
    registry.footer("Ends cleanly on SIGTERM and Ctrl-C. docs/operations/registry.md says more.");

    const Command status = registry.add("status", "Asks a running registry how it is.");
    globals.add_section(status, client_section);
    status.runs(globals.running(show_status));
    status.footer("Exit code 1: it answers, but has no space left for changes.");

    struct BackupArguments {
        std::string to;
        bool force = false;
    };
    auto backup_arguments = std::make_shared<BackupArguments>();
    const Command backup = registry.add("backup", "Writes what a running registry knows to a file.");
    globals.add_section(backup, client_section);
    backup.required_option({.names = "--to", .value_name = "FILE",
                            .about = "Where to write: all of it, or nothing.",
                            .completes = Completes::file},
                           backup_arguments->to);
    backup.flag("--force", "Replaces a file that is there.", backup_arguments->force);
    backup.runs(globals.running([backup_arguments](const Invocation& invocation) {
        return backup_registry(invocation, backup_arguments->to,
                               backup_arguments->force ? Existing::replace : Existing::refuse);
    }));

    auto from = std::make_shared<std::string>();
    const Command restore =
        registry.add("restore", "Makes a new journal directory from a backup; the registry is off.");
    restore.required_option({.names = "--from", .value_name = "FILE",
                             .about = "A file of registry backup.",
                             .completes = Completes::file},
                            *from);
    for (const char* const name : {"registry.data", "registry.segment_size"}) {
        globals.add_option(restore, name);
    }
    restore.runs(globals.running(
        [from](const Invocation& invocation) { return restore_registry(invocation, *from); }));
}

}  // namespace understudy::apps
