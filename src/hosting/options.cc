#include "hosting/options.h"

#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/errors.h"

namespace understudy::hosting {

bool is_loopback(std::string_view host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<Address> check_listen(std::string_view listen, bool has_tls, bool insecure) {
    Address address = US_TRY(parse_address(listen));
    if (is_loopback(address.host) || has_tls || insecure) return address;
    return bad_config(fmt::format(
        "listen {}: other machines could connect without encryption; give certificates (tls), "
        "or set insecure to allow it",
        listen));
}

std::optional<TlsOptions> to_options(const std::optional<TlsFiles>& files) {
    if (!files) return std::nullopt;
    return TlsOptions{.certificate_file = files->certificate,
                      .key_file = files->key,
                      .authority_file = files->authority};
}

Result<OwnAddress> own_address(Network& network, Address listen) {
    OwnAddress own{.address = std::move(listen), .held = nullptr};
    if (own.address.port == 0 && !is_local(own.address)) {
        own.held = US_TRY(network.hold_port(own.address.host));
        own.address.port = own.held->address().port;
    }
    return own;
}

client::JournaledOptions place_in_line(const ReplicaOptions& options, Address endpoint,
                                       const std::string& advertise) {
    client::JournaledOptions how;
    how.family = options.service;
    how.member = options.member;
    how.endpoint = std::move(endpoint);
    if (!advertise.empty()) how.endpoint.host = advertise;
    if (const auto* shared = std::get_if<SharedDirectory>(&options.journal)) {
        how.lease = shared->lease;
    }
    how.checkpointer = options.checkpointer == Checkpointer::shared ? role::Checkpointer::shared
                                                                    : role::Checkpointer::dedicated;
    return how;
}

}  // namespace understudy::hosting
