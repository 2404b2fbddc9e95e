#include "library/options.h"

#include <algorithm>
#include <atomic>
#include <cctype>

#include <unistd.h>

#include <fmt/format.h>

#include "base/errors.h"
#include "understudy/limits.h"

namespace understudy::library {

namespace {

[[nodiscard]] bool is_wildcard(const std::string& host) {
    return host.empty() || host == "0.0.0.0" || host == "::";
}

// Host name, process id, and a number from the second agent of this process on.
[[nodiscard]] std::string make_name() {
    static std::atomic<unsigned> agents{0};
    char host[256] = "host";
    (void)::gethostname(host, sizeof host - 1);
    std::string name;
    for (const char letter : std::string_view(host)) {
        const bool fine = std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '-';
        name += fine ? letter : '_';
    }
    name.resize(std::min(name.size(), identifier_size_max - 32));
    name += fmt::format("-{}", ::getpid());
    const unsigned number = ++agents;
    return number == 1 ? name : fmt::format("{}-{}", name, number);
}

}  // namespace

Result<void> check_not_reserved(std::string_view what, std::string_view name) {
    if (!name.starts_with(reserved_prefix)) return {};
    return bad_config(fmt::format("{} {}: names that begin with {} belong to the platform", what,
                                  name, reserved_prefix));
}

Result<std::optional<client::AgentOptions>> check_registry(const std::vector<std::string>& registry,
                                                           const std::optional<TlsFiles>& tls) {
    if (registry.empty()) return std::optional<client::AgentOptions>();
    return std::optional(US_TRY(check({.registry = registry, .tls = tls})));
}

Result<hosting::Places::Options> check_places(const std::string& service,
                                              const std::vector<std::string>& registry,
                                              const std::vector<std::string>& members,
                                              const std::optional<TlsFiles>& tls) {
    US_CHECK(check_service_name(service));
    if (registry.empty() && members.empty()) {
        return bad_config("the place of the service is missing: give a registry or its members");
    }
    hosting::Places::Options places;
    places.registry = US_TRY(check_registry(registry, tls));
    if (!members.empty()) places.listed[service] = members;
    US_CHECK(hosting::Places::check(places));
    return places;
}

Result<client::AgentOptions> check(const AgentOptions& options) {
    client::AgentOptions out;
    out.name = options.name.empty() ? make_name() : options.name;
    US_CHECK(check_identifier("agent", out.name));
    out.platform = options.platform;
    if (!out.platform.empty()) US_CHECK(check_identifier("platform", out.platform));
    if (options.registry.empty()) return bad_config("registry: at least one address is needed");
    for (const std::string& text : options.registry) {
        Address address = US_TRY(parse_address(text));
        if (address.host.empty() || address.port == 0) {
            return bad_config(
                fmt::format("registry {}: expected HOST:PORT, as in 127.0.0.1:22222", text));
        }
        out.registry.push_back(std::move(address));
    }
    out.listen = US_TRY(check_listen(options.listen, options.tls.has_value(), options.insecure));
    out.advertise = options.advertise;
    if (out.advertise.empty() && is_wildcard(out.listen.host)) {
        return bad_config(fmt::format(
            "listen {}: advertise must name the host at which others reach it", options.listen));
    }
    out.tls = to_options(options.tls);
    for (const Compression compression : options.compression) {
        out.compressions.push_back(static_cast<wire::Compression>(compression));
    }
    constexpr std::size_t compressions_max = 16;
    if (out.compressions.size() > compressions_max) {
        return bad_config(fmt::format("compression: at most {} kinds", compressions_max));
    }
    return out;
}

}  // namespace understudy::library
