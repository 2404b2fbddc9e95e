#include "apps/commands/session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>

#include "apps/config/distrust.h"
#include "apps/exit.h"
#include "apps/view/nearest.h"
#include "apps/view/service_view.h"
#include "library/records/agent_impl.h"
#include "library/registry/admin.h"
#include "library/threads/access.h"

namespace understudy::apps {

namespace pb = wire::pb;

namespace {

/// A registry that restarts is back within this time; a missing one is not awaited for longer.
constexpr Duration restart_max = 300ms;
/// With several nodes, one is active again within this time.
constexpr Duration failover_max = 2s;

[[nodiscard]] Result<std::optional<TlsFiles>> tls_files(const ClientSettings& settings) {
    if (settings.tls_cert.empty() && settings.tls_key.empty() && settings.tls_ca.empty()) {
        return std::optional<TlsFiles>();
    }
    if (settings.tls_cert.empty() || settings.tls_key.empty() || settings.tls_ca.empty()) {
        return Error{.code = Errc::bad_config,
                     .detail = "TLS needs all three of --tls-cert, --tls-key and --tls-ca"};
    }
    return std::optional(TlsFiles{.certificate = settings.tls_cert, .key = settings.tls_key,
                                  .authority = settings.tls_ca});
}

[[nodiscard]] std::vector<std::string> split_addresses(std::string_view text) {
    std::vector<std::string> addresses;
    while (true) {
        const std::size_t comma = text.find(',');
        addresses.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos) return addresses;
        text.remove_prefix(comma + 1);
    }
}

[[nodiscard]] Error no_registry(const Error& reason, const std::string& where) {
    if (reason.code == Errc::denied) return explain_distrust(reason, where);
    if (reason.code == Errc::not_active) return advise(reason, "understudy registry status");
    return advise({.code = Errc::unavailable,
                   .detail = fmt::format("no registry answers at {} ({})", where, reason.detail)},
                  "understudy registry --data DIR, or --registry HOST:PORT");
}

/// Waits until the registry answers, or until it had enough time to answer.
[[nodiscard]] Result<void> wait_for_registry(Agent& agent, Duration timeout,
                                             const std::string& where) {
    const auto impl = library::Access::impl(agent);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    bool up = false;
    {
        std::unique_lock lock(impl->mutex);
        impl->changed.wait_until(
            lock, deadline, [&] { return impl->registry_up || !impl->registry_detail.empty(); });
        const Duration back_max =
            where.find(',') == std::string::npos ? restart_max : failover_max;
        const auto patience = std::min(deadline, std::chrono::steady_clock::now() + back_max);
        impl->changed.wait_until(lock, patience, [&] { return impl->registry_up; });
        up = impl->registry_up;
    }
    if (up) return {};
    Error reason{.code = Errc::timed_out, .detail = "it does not answer"};
    (void)impl->loop.run([&] {
        if (impl->client == nullptr) return;
        Error last = impl->client->registry_error();
        if (!last.detail.empty()) reason = std::move(last);
    });
    return no_registry(reason, where);
}

}  // namespace

Result<Session> Session::open(const Invocation& invocation, Needs needs) {
    const ClientSettings& settings = invocation.settings().client;
    const bool verbose = invocation.verbose;
    // Not within the braces, because g++ 12 then fails to destroy the members before it.
    auto tls = US_TRY(tls_files(settings));
    AgentOptions options{.name = fmt::format("understudy-{}", ::getpid()),
                         .registry = split_addresses(settings.registry),
                         .tls = std::move(tls),
                         .log = [verbose](std::string_view line) {
                             if (verbose) remark(line);
                         }};
    auto agent = US_TRY(Agent::open(std::move(options)));
    const Duration timeout = std::chrono::milliseconds(settings.timeout_ms);
    std::optional<Error> absent;
    if (auto there = wait_for_registry(agent, timeout, settings.registry); !there) {
        absent = std::move(there).error();
        if (needs == Needs::registry || absent->code == Errc::denied) return *std::move(absent);
    }
    Session session(std::move(agent), timeout, settings.registry);
    session.absent_ = std::move(absent);
    return session;
}

Result<pb::Answer> Session::ask(pb::Ask ask) {
    auto answer = US_TRY(library::ask(agent_, std::move(ask), timeout_));
    if (!answer.has_failure()) return answer;
    const pb::Failure& failure = answer.failure();
    return Error{.code = static_cast<Errc>(failure.code()),
                 .effect = static_cast<Effect>(failure.effect()),
                 .detail = failure.detail()};
}

Result<pb::Answer> Session::ask_any(pb::Ask ask) {
    // Each node answers at once with what it knows, so a node that does not answer is not there.
    auto answer = library::ask_any(agent_, std::move(ask), std::min(timeout_, failover_max));
    if (answer) return answer;
    if (answer.error().code != Errc::timed_out) return std::move(answer).error();
    // No registry has answered since, so the earlier reason still holds.
    return absent_ ? *absent_ : no_registry(answer.error(), where_);
}

std::string Session::answered_at() {
    std::string address = where_;
    const auto impl = library::Access::impl(agent_);
    (void)impl->loop.run([&] {
        if (impl->client != nullptr) address = to_string(impl->client->registry_address());
    });
    return address;
}

Result<std::vector<pb::ServiceInfo>> Session::services() {
    auto looked = library::look_up(agent_, {}, consistency_, timeout_);
    if (!looked && looked.error().code == Errc::timed_out && absent_) return *absent_;
    auto found = US_TRY(std::move(looked));
    std::vector<pb::ServiceInfo> services(found.services().begin(), found.services().end());
    found.clear_services();
    looked_up_ = std::move(found);
    return services;
}

Result<pb::ServiceInfo> Session::service(const std::string& family) {
    std::vector<std::string> names;
    for (pb::ServiceInfo& service : US_TRY(services())) {
        if (service.config().family() == family) return std::move(service);
        names.push_back(service.config().family());
    }
    const auto near = nearest(family, names);
    return advise({.code = Errc::not_found,
                   .detail = fmt::format("no service {} on the platform{}", family,
                                         near ? fmt::format("; did you mean {}?", *near) : "")},
                  "understudy service list");
}

Result<Proxy> Session::proxy(const std::string& family) {
    if (!is_served(US_TRY(service(family)))) {
        if (auto there = agent_.wait_for_service(family, timeout_); !there) {
            return advise(std::move(there).error(), "understudy service explain " + family);
        }
    }
    return agent_.proxy(family);
}

}  // namespace understudy::apps
