#include "apps/run/registry_program.h"

#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "apps/version.h"
#include "base/errors.h"
#include "library/registry/registry_nodes.h"
#include "platform/log.h"
#include "platform/machine/memory.h"
#include "understudy/limits.h"

namespace understudy::apps {

using node::RegistryServer;

namespace {

/// A name may resolve to any address, except the one that must not (RFC 6761, section 6.3).
[[nodiscard]] bool is_loopback(const std::string& host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

[[nodiscard]] Result<std::optional<TlsOptions>> tls_options(const RegistrySettings& settings) {
    const bool any =
        !settings.tls_cert.empty() || !settings.tls_key.empty() || !settings.tls_ca.empty();
    if (!any) return std::optional<TlsOptions>();
    if (settings.tls_cert.empty() || settings.tls_key.empty() || settings.tls_ca.empty()) {
        return bad_config("TLS needs all three of --tls-cert, --tls-key and --tls-ca");
    }
    return std::optional(TlsOptions{.certificate_file = settings.tls_cert,
                                    .key_file = settings.tls_key,
                                    .authority_file = settings.tls_ca});
}

}  // namespace

Result<RegistryServer::Options> registry_options(const RegistrySettings& settings) {
    RegistryServer::Options options;
    options.listen = US_TRY(parse_address(settings.listen));
    options.tls = US_TRY(tls_options(settings));
    if (settings.data.empty()) {
        return bad_config(
            "a registry needs a directory for its journal\ntry: understudy registry --data "
            "DIR");
    }
    if (settings.peers.empty() && !settings.advertise.empty()) {
        return bad_config("--advertise is the address for the other nodes: --peers must list them");
    }
    if (!settings.peers.empty()) {
        std::optional<Address> advertise;
        if (!settings.advertise.empty()) advertise = US_TRY(parse_address(settings.advertise));
        auto peers = US_TRY(library::parse_nodes(settings.peers));
        options.several =
            US_TRY(library::several_nodes(settings.name, std::move(peers), advertise));
        options.several->election_timeout =
            std::chrono::milliseconds(settings.election_timeout_ms);
        options.several->heartbeat_interval = options.several->election_timeout / 6;
        if (!settings.listen_given) options.listen = options.several->address;
    }
    if (!options.tls && !settings.insecure && !is_loopback(options.listen.host)) {
        return bad_config(
            fmt::format("listening on {} without TLS opens the platform to anybody who reaches "
                        "it\ntry: --tls-cert, --tls-key and --tls-ca, or --insecure",
                        to_string(options.listen)));
    }
    US_CHECK(check_identifier("platform", settings.platform));
    US_CHECK(check_identifier("registry", settings.name));
    options.link.compressions = {wire::Compression::zstd, wire::Compression::gzip};
    options.directory = settings.data;
    options.segment_size_bytes = settings.segment_size_bytes;
    options.tenure.name = settings.name;
    options.tenure.platform = settings.platform;
    options.tenure.version = version();
    return options;
}

RegistryProgram::RegistryProgram(platform::AsioRuntime& runtime, Log& log, Supervisor supervisor)
    : runtime_(runtime), log_(log), supervisor_(std::move(supervisor)) {}

Result<void> RegistryProgram::run(RegistryServer::Options options,
                                  std::function<void(const RegistryServer&)> ready) {
    ready_ = std::move(ready);
    signals_ = US_TRY(platform::Signals::open(runtime_, {SIGTERM, SIGINT}, [this](int signal) {
        log_.info("registry.signal", {kv("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT")});
        if (closing_) return end(std::nullopt);
        close();
    }));
    server_ = std::make_unique<RegistryServer>(
        runtime_, log_, std::move(options), [this](const Result<void>& result) { opened(result); });
    server_->on_failed([this](const Error& error) { end(error); });
    const platform::MemoryWatch memory(runtime_, log_);
    runtime_.run();
    // All objects on the loop are destroyed before it; no loop runs any more.
    close_timer_.reset();
    watchdog_timer_.reset();
    signals_.reset();
    server_.reset();
    if (error_) return *error_;
    return {};
}

void RegistryProgram::opened(const Result<void>& result) {
    if (closing_) return;
    if (!result) return end(result.error());
    supervisor_.tell(fmt::format("READY=1\nSTATUS={} on {}",
                                 server_->serving() ? "platform " + server_->state().platform()
                                                    : "one of several nodes",
                                 to_string(server_->address())));
    keep_watchdog_quiet();
    ready_(*server_);
}

void RegistryProgram::keep_watchdog_quiet() {
    const auto interval = supervisor_.watchdog_interval();
    if (!interval) return;
    supervisor_.tell("WATCHDOG=1");
    watchdog_timer_ =
        runtime_.at(runtime_.now() + *interval, [this] { keep_watchdog_quiet(); });
}

void RegistryProgram::close() {
    if (closing_) return;
    closing_ = true;
    supervisor_.tell("STOPPING=1");
    close_timer_ = runtime_.at(runtime_.now() + close_limit, [this] {
        log_.warn("registry.close_slow", {});
        end(std::nullopt);
    });
    server_->close([this] { end(std::nullopt); });
}

void RegistryProgram::end(std::optional<Error> error) {
    if (error && !error_) error_ = std::move(error);
    runtime_.stop();
}

}  // namespace understudy::apps
