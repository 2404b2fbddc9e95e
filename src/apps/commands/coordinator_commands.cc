#include "apps/commands/coordinator_commands.h"

#include <utility>

#include <fmt/format.h>

#include "apps/commands/session.h"
#include "apps/config/settings.h"
#include "base/errors.h"
#include "library/engine.h"
#include "library/options.h"
#include "library/registry/registry_nodes.h"
#include "platform/log.h"
#include "platform/machine/limits.h"
#include "understudy/limits.h"
#include "wire/definition.h"

namespace understudy::apps {

namespace {

[[nodiscard]] Result<std::optional<TlsFiles>> tls_files(const CoordinatorSettings& settings) {
    if (settings.tls_cert.empty() && settings.tls_key.empty() && settings.tls_ca.empty()) {
        return std::optional<TlsFiles>();
    }
    if (settings.tls_cert.empty() || settings.tls_key.empty() || settings.tls_ca.empty()) {
        return bad_config("TLS needs all three of --tls-cert, --tls-key and --tls-ca");
    }
    return std::optional(TlsFiles{.certificate = settings.tls_cert,
                                  .key = settings.tls_key,
                                  .authority = settings.tls_ca});
}

[[nodiscard]] const wire::pb::ReplicaDefinition* find_replica(const CoordinatorPlan& plan) {
    if (plan.service == nullptr) return nullptr;
    for (const auto& replica : plan.service->definition().replicas()) {
        if (replica.number() == plan.settings.coordinator.replica) return &replica;
    }
    return nullptr;
}

[[nodiscard]] std::string host_and_port(const wire::pb::Endpoint& endpoint) {
    return to_string(Address{.host = endpoint.host(),
                             .port = static_cast<std::uint16_t>(endpoint.port())});
}

/// The copies of a replicated journal, as the registry lists them.
[[nodiscard]] Result<std::vector<ReplicatedGroup::Node>> defined_nodes(
    const wire::pb::Definition& definition) {
    std::vector<ReplicatedGroup::Node> nodes;
    for (const auto& replica : definition.replicas()) {
        if (!replica.has_node()) {
            return bad_config(
                fmt::format("replica {} has no address for its journal; --members names all",
                            replica.number()));
        }
        nodes.push_back({.name = wire::replica_member(replica.number()),
                         .address = host_and_port(replica.node())});
    }
    return nodes;
}

/// With a replicated journal, each copy has its own directory.
[[nodiscard]] Result<ReplicatedGroup> replicated(const CoordinatorPlan& plan,
                                                 const std::string& directory,
                                                 std::optional<TlsFiles> tls) {
    const CoordinatorSettings& settings = plan.settings.coordinator;
    ReplicatedGroup group{.directory = directory, .nodes = {}};
    if (settings.members.empty()) {
        group.nodes = US_TRY(defined_nodes(plan.service->definition()));
    } else {
        const auto listed = US_TRY(library::parse_nodes(settings.members));
        for (const auto& node : listed) {
            group.nodes.push_back({.name = node.name, .address = to_string(node.address)});
        }
    }
    group.tls = std::move(tls);
    group.insecure = settings.insecure;
    return group;
}

[[nodiscard]] Result<ReplicaOptions> journal_options(const CoordinatorPlan& plan,
                                                     const std::optional<TlsFiles>& tls) {
    const CoordinatorSettings& settings = plan.settings.coordinator;
    ReplicaOptions options;
    options.service = settings.instance;
    options.member = wire::replica_member(static_cast<std::uint32_t>(settings.replica));
    const auto* replica = find_replica(plan);
    std::string log = settings.log;
    if (log.empty() && replica != nullptr) log = replica->directory();
    if (log.empty() && plan.service != nullptr) log = plan.service->definition().directory();
    if (log.empty())
        return bad_config("a coordinator needs a directory for the journal\ntry: --log DIR");
    const std::string directory = journal_directory(log, settings.instance);
    const bool is_replicated =
        !settings.members.empty() ||
        (replica != nullptr && plan.service->definition().journal() ==
                                   static_cast<std::uint32_t>(wire::JournalKind::replicated));
    if (is_replicated) {
        options.journal = US_TRY(replicated(plan, directory + "/" + options.member, tls));
    } else if (settings.journal == "local") {
        options.journal = LocalDirectory{directory};
    } else {
        options.journal = SharedDirectory{.path = directory,
                                          .lease = std::chrono::milliseconds(settings.lease_ms)};
    }
    US_CHECK(hosting::JournalChoice::check(options, library::engine()));
    return options;
}

[[nodiscard]] Result<Address> listen_at(const std::string& host, std::uint64_t port, bool tls,
                                        bool insecure) {
    return library::check_listen(
        to_string(Address{.host = host, .port = static_cast<std::uint16_t>(port)}), tls, insecure);
}

[[nodiscard]] Result<Address> applications_at(const CoordinatorSettings& settings,
                                              std::uint64_t defined_port) {
    if (settings.app_socket.empty()) {
        return listen_at(settings.app_host,
                         settings.app_port == 0 ? defined_port : settings.app_port, false,
                         settings.insecure);
    }
    if (settings.app_port != 0) return bad_config("--app-port and --app-socket exclude each other");
    return socket_address(settings.app_socket);
}

[[nodiscard]] Result<hosting::Places::Options> places_options(const CoordinatorPlan& plan,
                                                              const std::optional<TlsFiles>& tls) {
    hosting::Places::Options places;
    if (!plan.settings.coordinator.peers.empty()) {
        const auto listed = US_TRY(library::parse_nodes(plan.settings.coordinator.peers));
        for (const auto& peer : listed) {
            places.listed[peer.name].push_back(to_string(peer.address));
        }
    }
    std::vector<std::string> registry;
    std::string_view rest = plan.registry ? plan.settings.client.registry : std::string_view();
    while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        registry.emplace_back(rest.substr(0, comma));
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    places.registry = US_TRY(library::check_registry(registry, tls));
    US_CHECK(hosting::Places::check(places));
    return places;
}

}  // namespace

Address socket_address(const std::string& path) {
    return {.host = path.find('/') == std::string::npos ? "./" + path : path, .port = 0};
}

std::string journal_directory(const std::string& log, const std::string& instance) {
    return log + "/" + instance;
}

Result<CoordinatorProgram::Options> coordinator_options(const CoordinatorPlan& plan) {
    const CoordinatorSettings& settings = plan.settings.coordinator;
    if (settings.instance.empty()) {
        return bad_config(
            "the name of the immortal is missing\ntry: understudy coordinator --instance NAME "
            "--log DIR");
    }
    US_CHECK(check_service_name(settings.instance));
    const auto* replica = find_replica(plan);
    if (plan.service != nullptr && plan.service->definition().replicas_size() > 0 &&
        replica == nullptr) {
        return Error{.code = Errc::not_found,
                     .detail = fmt::format("{} has no replica {}\ntry: understudy service "
                                           "add-replica {} --replica {}",
                                           settings.instance, settings.replica, settings.instance,
                                           settings.replica)};
    }
    auto tls = US_TRY(tls_files(settings));
    CoordinatorProgram::Options options;
    options.journal = US_TRY(journal_options(plan, tls));
    options.places = US_TRY(places_options(plan, tls));
    const std::uint64_t port =
        settings.port == 0 && replica != nullptr ? replica->port() : settings.port;

    Coordinator::Options& coordinator = options.coordinator;
    coordinator.applications =
        US_TRY(applications_at(settings, replica == nullptr ? 0 : replica->app_port()));
    coordinator.application.service = settings.instance;
    coordinator.application.member = options.journal.member;
    coordinator.application.stall_max = std::chrono::milliseconds(settings.stall_limit_ms);
    coordinator.upgrade = static_cast<std::uint32_t>(settings.upgrade);
    node::ImmortalMember::Options& member = coordinator.member;
    member.service = settings.instance;
    member.member = options.journal.member;
    member.listen = US_TRY(listen_at(settings.host, port, tls.has_value(), settings.insecure));
    member.tls = library::to_options(tls);
    member.checkpoint_every_bytes = settings.checkpoint_every_bytes;
    member.checkpoint_duty = std::holds_alternative<LocalDirectory>(options.journal.journal)
                                 ? replica::CheckpointDuty::mine
                                 : replica::CheckpointDuty::standbys;
    return options;
}

namespace {

/// Waits for the registry no longer than other commands do.
[[nodiscard]] Result<std::optional<wire::pb::ServiceInfo>> ask_registry(
    const Invocation& invocation) {
    auto session = US_TRY(Session::open(invocation));
    auto info = session.service(invocation.settings().coordinator.instance);
    if (info) return std::optional(*std::move(info));
    if (info.error().code != Errc::not_found) return std::move(info).error();
    if (!invocation.settings().coordinator.log.empty()) {
        return std::optional<wire::pb::ServiceInfo>();
    }
    return advise(std::move(info).error(),
                  fmt::format("understudy service register {} --kind immortal --log DIR, or --log "
                              "DIR here",
                              invocation.settings().coordinator.instance));
}

Result<Exit> run_coordinator(const Invocation& invocation) {
    const Settings& settings = invocation.settings();
    CoordinatorPlan plan{.settings = settings,
                         .registry = invocation.effective.origins.contains("client.registry")};
    std::optional<wire::pb::ServiceInfo> service;
    if (plan.registry && !settings.coordinator.instance.empty()) {
        service = US_TRY(ask_registry(invocation));
    }
    if (service) plan.service = &*service;
    auto options = US_TRY(coordinator_options(plan));
    platform::LineLog log(
        {.level = US_TRY(platform::parse_log_level(settings.coordinator.log_level)),
         .format = US_TRY(platform::parse_log_format(settings.coordinator.log_format))});
    if (const auto raised = platform::raise_descriptor_limit(); !raised) {
        log.warn("coordinator.descriptor_limit", {kv("error", raised.error())});
    }
    if (auto enough = platform::check_descriptors(); !enough) {
        return advise_path(std::move(enough).error(), {});
    }
    platform::AsioRuntime runtime(log);
    CoordinatorProgram program(runtime, log, Supervisor::of_this_process());
    const std::string directory = directory_of(options.journal);
    if (auto ended = program.run(std::move(options)); !ended) {
        return advise_path(std::move(ended).error(), directory);
    }
    return Exit::done;
}

}  // namespace

void add_coordinator_commands(const Command& root, Globals& globals) {
    const Command coordinator = root.add(
        "coordinator",
        "Runs a copy of an immortal whose application is another process, in any language.");
    globals.add_section(coordinator, coordinator_section);
    coordinator.runs(globals.running(run_coordinator));
    coordinator.footer(
        "With --registry, what is not said here is taken from the service's registration. Ends "
        "cleanly on SIGTERM\nand Ctrl-C: another copy takes over. docs/protocols/coordinator.md is "
        "what applications speak.");
}

}  // namespace understudy::apps
